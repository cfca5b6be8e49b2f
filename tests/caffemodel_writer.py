"""Writes ``.caffemodel`` files as Caffe does: protobuf messages, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Blobs = Sequence[NDArray[Any]]

V1_NUMBERS = {"Convolution": 4, "Dropout": 6, "InnerProduct": 14, "ReLU": 18, "Deconvolution": 39}


def number(value: int) -> bytes:
    """A varint."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def whole(field: int, value: int) -> bytes:
    """A field that is a number."""
    return number(field << 3) + number(value)


def part(field: int, content: bytes) -> bytes:
    """A field that is a text, a message or packed numbers."""
    return number(field << 3 | 2) + number(len(content)) + content


def blob(values: NDArray[Any], *, old: bool = False) -> bytes:
    """A BlobProto; ``old`` gives the shape as four numbers, with ones in front."""
    if old:
        sides = (1,) * (4 - values.ndim) + values.shape
        shape = b"".join(whole(field, side) for field, side in enumerate(sides, start=1))
    else:
        shape = part(7, part(1, b"".join(map(number, values.shape))))
    doubles = values.dtype == np.float64
    return shape + part(8 if doubles else 5, values.astype("<f8" if doubles else "<f4").tobytes())


def layer(name: str, kind: str, blobs: Blobs = (), *, pad: int | tuple[int, int] | None = None) -> bytes:
    """A LayerParameter with its field of NetParameter around it; two pads are those of the rows and of the columns."""
    pads = b"".join(whole(9 + axis, side) for axis, side in enumerate(pad if isinstance(pad, tuple) else ()))
    if isinstance(pad, int):
        pads = whole(3, pad)
    convolution = b"" if pad is None else part(106, whole(1, 64) + pads)
    content = part(1, name.encode()) + part(2, kind.encode()) + part(3, b"bottom") + whole(10, 1)
    return part(100, content + b"".join(part(7, blob(each)) for each in blobs) + convolution)


def old_layer(name: str, kind: str, blobs: Blobs = (), *, pad: int | None = None) -> bytes:
    """A V1LayerParameter with its field of NetParameter around it."""
    convolution = b"" if pad is None else part(10, whole(1, 64) + whole(3, pad))
    content = part(2, b"bottom") + part(4, name.encode()) + whole(5, V1_NUMBERS[kind])
    return part(2, content + b"".join(part(6, blob(each, old=True)) for each in blobs) + convolution)
