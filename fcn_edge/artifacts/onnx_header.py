"""ONNX files without the onnx package: the spec inside, and a digest of graph and weights.

An ONNX file is a protobuf message, and protobuf's wire format is enough to find its top-level fields: the metadata
entries are read, everything else is hashed. So the edge reads a model's spec with neither onnx nor a backend.
Field numbers are those of ``ModelProto`` and ``StringStringEntryProto`` in the ONNX specification (onnx.proto).
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fcn_edge.artifacts.protobuf import Buffer, WireError, fields
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import ModelError

__all__ = ["SPEC_KEY", "damaged_onnx", "metadata_of_onnx", "model_digest", "opened_onnx", "spec_of_onnx"]

SPEC_KEY = "fcn_edge.spec"
"""Metadata key of the spec."""

IR_VERSION, GRAPH, OPSET_IMPORT, METADATA_PROPS, FUNCTIONS = 1, 7, 8, 14, 25
DIGESTED = frozenset({IR_VERSION, GRAPH, OPSET_IMPORT, FUNCTIONS})


def metadata_of_onnx(path: Path) -> dict[str, str]:
    """The ``metadata_props`` of an ONNX file.

    Raises:
        ModelError: The file is missing or not a whole ONNX file.
    """
    metadata = {}
    with opened_onnx(path) as buffer:
        try:
            for number, start, end in _parts(buffer):
                if number == METADATA_PROPS:
                    entry = {field: bytes(buffer[a:b]).decode() for field, a, b in fields(buffer, start, end)}
                    metadata[entry.get(1, "")] = entry.get(2, "")
        except (WireError, UnicodeDecodeError) as error:
            raise damaged_onnx(path) from error
    return metadata


def model_digest(path: Path) -> str:
    """SHA-256 over graph, weights and opset of an ONNX file, in hexadecimal; its metadata does not count.

    Raises:
        ModelError: The file is missing or not a whole ONNX file.
    """
    digest = hashlib.sha256()
    with opened_onnx(path) as buffer:
        try:
            for number, start, end in _parts(buffer):
                if number in DIGESTED:
                    digest.update(f"{number}:{end - start};".encode())
                    digest.update(buffer[start:end])
        except WireError as error:
            raise damaged_onnx(path) from error
    return digest.hexdigest()


def spec_of_onnx(path: Path) -> ModelSpec:
    """The ModelSpec inside an ONNX file.

    Raises:
        ModelError: The file is missing, damaged, or an ONNX file without a spec.
        SpecError: The spec inside is not valid.
    """
    metadata = metadata_of_onnx(path)
    if SPEC_KEY not in metadata:
        raise ModelError(
            f"{path} is an ONNX file without an fcn_edge spec.", "Make it with fcn-edge export from a checkpoint."
        )
    return ModelSpec.from_json(metadata[SPEC_KEY])


@contextmanager
def opened_onnx(path: Path) -> Iterator[Buffer]:
    """The bytes of an ONNX file, mapped into memory.

    Raises:
        ModelError: The file is missing, empty or unreadable.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.", "Check the path.")
    try:
        with path.open("rb") as file:
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap refuses an empty file
        raise damaged_onnx(path) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    with buffer:
        yield buffer


def damaged_onnx(path: Path) -> ModelError:
    """The error that says that a file is not a whole ONNX file."""
    return ModelError(f"{path} is not an ONNX file, or is cut off.", "Export or copy it again.")


def _parts(buffer: Buffer) -> list[tuple[int, int, int]]:
    """Number, first byte and end of each part of a model.

    Raises:
        WireError: The file is cut off, or lacks what every model has: a graph, and the opset that it is written in.
    """
    parts = list(fields(buffer, 0, len(buffer)))
    if not {GRAPH, OPSET_IMPORT} <= {number for number, _, _ in parts}:
        raise WireError
    return parts
