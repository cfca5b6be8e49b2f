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

from fcn_edge.errors import ModelError
from fcn_edge.spec import ModelSpec

__all__ = ["SPEC_KEY", "metadata_of_onnx", "model_digest", "spec_of_onnx"]

SPEC_KEY = "fcn_edge.spec"
"""Metadata key of the spec."""

IR_VERSION, GRAPH, OPSET_IMPORT, METADATA_PROPS, FUNCTIONS = 1, 7, 8, 14, 25
DIGESTED = frozenset({IR_VERSION, GRAPH, OPSET_IMPORT, FUNCTIONS})
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Buffer = mmap.mmap


class _Damaged(Exception):
    pass


def metadata_of_onnx(path: Path) -> dict[str, str]:
    """The ``metadata_props`` of an ONNX file.

    Raises:
        ModelError: The file is missing or not a whole ONNX file.
    """
    metadata = {}
    with _opened(path) as buffer:
        try:
            for number, start, end in _fields(buffer, 0, len(buffer)):
                if number == METADATA_PROPS:
                    entry = {field: bytes(buffer[a:b]).decode() for field, a, b in _fields(buffer, start, end)}
                    metadata[entry.get(1, "")] = entry.get(2, "")
        except (_Damaged, UnicodeDecodeError) as error:
            raise _damaged(path) from error
    return metadata


def model_digest(path: Path) -> str:
    """SHA-256 over graph, weights and opset of an ONNX file, in hexadecimal; its metadata does not count.

    Raises:
        ModelError: The file is missing or not a whole ONNX file.
    """
    digest = hashlib.sha256()
    with _opened(path) as buffer:
        try:
            found = set()
            for number, start, end in _fields(buffer, 0, len(buffer)):
                if number in DIGESTED:
                    found.add(number)
                    digest.update(f"{number}:{end - start};".encode())
                    digest.update(buffer[start:end])
        except _Damaged as error:
            raise _damaged(path) from error
    if GRAPH not in found:
        raise _damaged(path)
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
def _opened(path: Path) -> Iterator[Buffer]:
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.", "Check the path.")
    try:
        with path.open("rb") as file:
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap refuses an empty file
        raise _damaged(path) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    with buffer:
        yield buffer


def _damaged(path: Path) -> ModelError:
    return ModelError(f"{path} is not an ONNX file, or is cut off.", "Export or copy it again.")


def _fields(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each field of the message in ``buffer[start:end]``."""
    position = start
    while position < end:
        tag, position = _varint(buffer, position, end)
        number, kind = tag >> 3, tag & 7
        if kind == BYTES:
            length, position = _varint(buffer, position, end)
            stop = position + length
        elif kind == VARINT:
            _, stop = _varint(buffer, position, end)
        elif kind in (FIXED64, FIXED32):
            stop = position + (8 if kind == FIXED64 else 4)
        else:
            raise _Damaged
        if stop > end or number == 0:
            raise _Damaged
        yield number, position, stop
        position = stop


def _varint(buffer: Buffer, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 64:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise _Damaged
