"""ONNX files without the onnx package: the spec inside, and a digest of graph and weights.

An ONNX file is a protobuf message, and protobuf's wire format is enough to find its top-level fields: the metadata
entries are read, everything else is hashed. So the edge reads a model's spec with neither onnx nor a backend.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fcn_edge.artifacts.file_kinds import not_a_model, to_be_exported
from fcn_edge.artifacts.onnx_schema import ENTRY, MODEL, message
from fcn_edge.artifacts.protobuf import Buffer, FlawError, WireError
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import ModelError

__all__ = [
    "SPEC_KEY",
    "FileState",
    "OnnxHeader",
    "damaged_onnx",
    "header_of_onnx",
    "metadata_of_onnx",
    "model_digest",
    "opened_file",
    "opened_onnx",
    "spec_of_onnx",
]

SPEC_KEY = "fcn_edge.spec"
"""Metadata key of the spec."""

IR_VERSION, GRAPH, OPSET_IMPORT, METADATA_PROPS, FUNCTIONS = 1, 7, 8, 14, 25
DIGESTED = frozenset({IR_VERSION, GRAPH, OPSET_IMPORT, FUNCTIONS})

MOST_PARTS = 10_000
"""Metadata entries and versions of operators, mostly: a model has a dozen."""

MOST_METADATA = 16 << 20
"""Bytes of all entries: a spec and the hashes of some thousand images are 1 MB."""


class FileState(NamedTuple):
    """What tells that a path still leads to the same file, and that it was not written to.

    Attributes:
        device: Number of the file system.
        inode: Number of the file in it.
        length: Length in bytes.
        changed: When it was last written, in nanoseconds.
    """

    device: int
    inode: int
    length: int
    changed: int

    @classmethod
    def of(cls, file: BinaryIO) -> FileState:
        """State of an open file."""
        status = os.fstat(file.fileno())
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class OnnxHeader:
    """What an ONNX file says of itself, and which file that was.

    Attributes:
        path: The file.
        metadata: Its ``metadata_props``.
        state: State of the file when it was read.
    """

    path: Path
    metadata: dict[str, str]
    state: FileState

    def spec(self) -> ModelSpec:
        """The ModelSpec in the metadata.

        Raises:
            ModelError: There is none.
            SpecError: It is not valid.
        """
        if SPEC_KEY not in self.metadata:
            raise to_be_exported(self.path, "another program's ONNX file", ModelError)
        return ModelSpec.from_json(self.metadata[SPEC_KEY])


def header_of_onnx(path: Path) -> OnnxHeader:
    """What an ONNX file says of itself, read once.

    Raises:
        ModelError: The file is missing or not a whole ONNX file.
    """
    metadata: dict[str, str] = {}
    with opened_file(path) as file, wire_errors(path):
        state, buffer = FileState.of(file), Buffer(file)
        for number, start, end in _parts(buffer):
            if number == METADATA_PROPS:
                key, value = _entry(buffer, start, end)
                metadata[key] = value
    return OnnxHeader(path, metadata, state)


def metadata_of_onnx(path: Path) -> dict[str, str]:
    """The ``metadata_props`` of an ONNX file.

    Raises:
        ModelError: The file is missing or not a whole ONNX file.
    """
    return header_of_onnx(path).metadata


def model_digest(path: Path, state: FileState | None = None) -> str:
    """SHA-256 over graph, weights and opset of an ONNX file, in hexadecimal; its metadata does not count.

    Args:
        path: The file.
        state: The state that it must have; any when left out.

    Raises:
        ModelError: The file is missing, not a whole ONNX file, or not in that state.
    """
    digest = hashlib.sha256()
    with opened_onnx(path, state) as buffer:
        for number, start, end in _parts(buffer):
            if number in DIGESTED:
                digest.update(f"{number}:{end - start};".encode())
                for block in buffer.blocks(start, end):
                    digest.update(block)
    return digest.hexdigest()


def spec_of_onnx(path: Path) -> ModelSpec:
    """The ModelSpec inside an ONNX file.

    Raises:
        ModelError: The file is missing, damaged, or an ONNX file without a spec.
        SpecError: The spec inside is not valid.
    """
    return header_of_onnx(path).spec()


@contextmanager
def opened_onnx(path: Path, state: FileState | None = None) -> Iterator[Buffer]:
    """The bytes of an ONNX file; what goes wrong with them inside the block is an error of the file.

    Args:
        path: The file.
        state: The state that it must have; any when left out.

    Raises:
        ModelError: The file is missing, empty or unreadable, not a whole ONNX file, or not in that state.
    """
    with opened_file(path, state) as file, wire_errors(path):
        yield Buffer(file)


@contextmanager
def opened_file(path: Path, state: FileState | None = None) -> Iterator[BinaryIO]:
    """A model's file, open for reading.

    Args:
        path: The file.
        state: The state that it must have; any when left out.

    Raises:
        ModelError: The file is missing or unreadable, or not in that state.
    """
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.", "Check the path.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    with file:
        if state is not None and FileState.of(file) != state:
            raise ModelError(f"{path} was changed or replaced while it was in use.", "Run the command again.")
        yield file


@contextmanager
def wire_errors(path: Path) -> Iterator[None]:
    """Turn what reading an ONNX file inside the block raises into a ``ModelError``."""
    try:
        yield
    except FlawError as error:
        raise ModelError(f"{path} is damaged: {error.said}.", "Export or copy it again.") from error
    except (WireError, UnicodeDecodeError) as error:
        raise damaged_onnx(path) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.", "Copy it again.") from error


def damaged_onnx(path: Path) -> ModelError:
    """The error that says that a file is not a whole ONNX file, and what it is where that can be told."""
    return not_a_model(path, ModelError) or ModelError(
        f"{path} is not an ONNX file, or is cut off.", "Export or copy it again."
    )


def _parts(buffer: Buffer) -> list[tuple[int, int, int]]:
    """Number, first byte and end of each part of a model that counts.

    Raises:
        WireError: The file is cut off, or lacks what every model has: a graph, and the opset that it is written in.
    """
    found, entries = [], 0
    for count, part in enumerate(message(buffer, MODEL, 0, len(buffer))):
        if count > MOST_PARTS:
            raise WireError
        number, start, end = part
        if number == METADATA_PROPS:
            entries += end - start
            if entries > MOST_METADATA:
                raise WireError
        if number in DIGESTED or number == METADATA_PROPS:
            found.append(part)
    if not {GRAPH, OPSET_IMPORT} <= {number for number, _, _ in found}:
        raise WireError
    return found


def _entry(buffer: Buffer, start: int, end: int) -> tuple[str, str]:
    parts = {field: buffer.read(a, b).decode() for field, a, b in message(buffer, ENTRY, start, end)}
    return parts.get(1, ""), parts.get(2, "")
