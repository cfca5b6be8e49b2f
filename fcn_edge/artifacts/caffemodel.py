"""``.caffemodel`` files: the trained weights of Caffe, read without Caffe.

Such a file is a protobuf message ``NetParameter``: layers, each with its blobs. Field numbers are those of
https://github.com/BVLC/caffe, ``src/caffe/proto/caffe.proto``; ``layers`` is what Caffe wrote until 2014.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.file_kinds import no_network
from fcn_edge.artifacts.protobuf import Buffer, WireError, fields, numbers
from fcn_edge.artifacts.weights.elements import read_elements
from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights
from fcn_edge.errors import CheckpointError
from fcn_edge.text import printable

__all__ = ["caffemodel_weights", "is_caffemodel"]

LAYERS_V1, LAYERS = 2, 100
LAYER_NAME, LAYER_TYPE, LAYER_BLOBS, LAYER_CONVOLUTION = 1, 2, 7, 106
V1_NAME, V1_TYPE, V1_BLOBS, V1_CONVOLUTION = 4, 5, 6, 10
CONVOLUTION_PAD, CONVOLUTION_PAD_H, CONVOLUTION_PAD_W = 3, 9, 10
BLOB_SIDES = (1, 2, 3, 4)
BLOB_DATA, BLOB_SHAPE, BLOB_DOUBLES = 5, 7, 8
SHAPE_DIM = 1

V1_TYPES = {4: "Convolution", 14: "InnerProduct", 39: "Deconvolution"}
"""Types of old files' layers with weights; the others are called by their numbers."""

MOST_FIELDS = 200_000
"""Of all messages that are read; a network of a hundred layers has some thousand."""
MOST_PIECES = 64
MOST_SIDES = 8
LONGEST_NAME = 200


@dataclass
class _Blob:
    """Numbers of a layer: their shape, and where in the file they are."""

    shape: tuple[int, ...]
    dtype: str
    pieces: list[tuple[int, int]]
    """Each with its first byte and its count of numbers."""


@dataclass
class _Layer:
    name: str = ""
    kind: str = ""
    pad: tuple[int, ...] = ()
    blobs: list[_Blob] = field(default_factory=list)


def is_caffemodel(path: Path) -> bool:
    """Whether a file is a message with at least one layer of Caffe that has a name and weights; by content."""
    try:
        with _opened(path) as buffer:
            return any(layer.name and layer.blobs for layer in _Reader(buffer).layers())
    except (WireError, OSError, ValueError):
        return False


def caffemodel_weights(path: Path) -> Weights:
    """The weights of a ``.caffemodel``; their numbers stay in the file until they are asked for.

    A layer's first two blobs are called ``NAME.weight`` and ``NAME.bias``, further ones ``NAME.2`` and so on.
    ``fields["layers"]`` lists all layers, ``{"name", "type", "pad"}`` each, those without weights too.

    Raises:
        CheckpointError: The file is missing, or is none of Caffe's, or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no weights file {path}.", "Check the path.")
    try:
        with _opened(path) as buffer:
            layers = list(_Reader(buffer).layers())
    except (WireError, ValueError) as error:
        raise no_network(path, CheckpointError) or CheckpointError(
            f"{path} is no whole .caffemodel; a binary NetParameter of Caffe was expected.",
            "Download or copy it again.",
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    tensors: dict[str, StoredTensor] = {}
    for layer in layers:
        for index, blob in enumerate(layer.blobs):
            key = f"{layer.name}.{('weight', 'bias')[index] if index < 2 else index}"
            if key in tensors:
                raise CheckpointError(
                    f"{path} holds weights of two layers called {layer.name}; one was expected.", "Save it again."
                )
            tensors[key] = StoredTensor(blob.shape, blob.dtype, partial(_read, path, blob))
    if not tensors:
        raise CheckpointError(f"{path} holds no weights of Caffe's layers.", "Give the trained .caffemodel.")
    found = [{"name": layer.name, "type": layer.kind, "pad": list(layer.pad)} for layer in layers]
    return Weights(
        path=path, kind="caffemodel", tensors=tensors, fields={"layers": found}, globals=frozenset(), wrapper=""
    )


@contextmanager
def _opened(path: Path) -> Iterator[Buffer]:
    with path.open("rb") as file:
        yield Buffer(file)


def _read(path: Path, blob: _Blob) -> NDArray[Any]:
    read = [read_elements(path, blob.dtype, (count,), at=first) for first, count in blob.pieces]
    return (read[0] if len(read) == 1 else np.concatenate(read)).reshape(blob.shape)


class _Reader:
    """Finds the fields of a file's messages, until there are more than any network has."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self._left = MOST_FIELDS

    def fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        for each in fields(self.buffer, start, stop):
            self._left -= 1
            if self._left < 0:
                raise WireError
            yield each

    def layers(self) -> Iterator[_Layer]:
        """The layers of a NetParameter, in the file's order."""
        for number, start, stop in self.fields(0, len(self.buffer)):
            if number in (LAYERS_V1, LAYERS):
                yield self._layer(start, stop, old=number == LAYERS_V1)

    def _layer(self, start: int, stop: int, old: bool) -> _Layer:
        name, kind, blobs, convolution = (
            (V1_NAME, V1_TYPE, V1_BLOBS, V1_CONVOLUTION)
            if old
            else (LAYER_NAME, LAYER_TYPE, LAYER_BLOBS, LAYER_CONVOLUTION)
        )
        layer = _Layer()
        messages: list[tuple[int, int]] = []
        for number, first, end in self.fields(start, stop):
            if number == name:
                layer.name = self._text(first, end)
            elif number == kind:
                layer.kind = self._old_type(first, end) if old else self._text(first, end)
            elif number == convolution:
                layer.pad = self._padding(first, end)
            elif number == blobs:
                messages.append((first, end))
        layer.blobs = [self._blob(*message, index > 0, layer.kind) for index, message in enumerate(messages)]
        return layer

    def _padding(self, start: int, stop: int) -> tuple[int, ...]:
        """Of both axes or one each; what a file does not say is 0."""
        found = self._numbers_of(CONVOLUTION_PAD, start, stop)
        if found:
            return found
        axes = (self._numbers_of(axis, start, stop) for axis in (CONVOLUTION_PAD_H, CONVOLUTION_PAD_W))
        return tuple(found[0] if found else 0 for found in axes)

    def _blob(self, start: int, stop: int, is_bias: bool, kind: str) -> _Blob:
        shape: tuple[int, ...] | None = None
        sides = [0, 0, 0, 0]
        dtypes: set[str] = set()
        pieces: list[tuple[int, int]] = []
        for number, first, end in self.fields(start, stop):
            if number == BLOB_SHAPE:
                shape = self._numbers_of(SHAPE_DIM, first, end)
            elif number in BLOB_SIDES:
                sides[number - 1] = next(numbers(self.buffer, first, end), 0)
            elif number in (BLOB_DATA, BLOB_DOUBLES):
                size = 8 if number == BLOB_DOUBLES else 4
                dtypes.add(f"float{8 * size}")
                count, rest = divmod(end - first, size)
                pieces.append((first, count))
                if rest or len(pieces) > MOST_PIECES:
                    raise WireError
        if shape is None:
            shape = _of_four_sides(sides, is_bias, kind)
        # a blob without numbers is none either: that of a network that was described and not trained
        if len(dtypes) != 1 or math.prod(shape) != sum(count for _, count in pieces):
            raise WireError
        return _Blob(shape, dtypes.pop(), pieces)

    def _text(self, start: int, stop: int) -> str:
        return printable(self.buffer.read(start, min(stop, start + LONGEST_NAME)).decode("utf-8", "replace"))

    def _old_type(self, start: int, stop: int) -> str:
        number = next(numbers(self.buffer, start, stop), 0)
        return V1_TYPES.get(number, str(number))

    def _numbers_of(self, field_number: int, start: int, stop: int) -> tuple[int, ...]:
        """The few numbers of a message's field, packed or not: padding or sides, one an axis."""
        found: list[int] = []
        for number, first, end in self.fields(start, stop):
            if number == field_number:
                for value in numbers(self.buffer, first, end):
                    found.append(value)
                    if len(found) > MOST_SIDES:
                        raise WireError
        return tuple(found)


def _of_four_sides(sides: list[int], is_bias: bool, kind: str) -> tuple[int, ...]:
    """The shape of a blob that says it the old way, always as four numbers with ones in front."""
    if is_bias:
        return (math.prod(sides),)
    return tuple(sides[2:] if kind == "InnerProduct" and sides[:2] == [1, 1] else sides)
