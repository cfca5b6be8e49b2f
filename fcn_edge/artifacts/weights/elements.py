"""Numbers of a tensor in the bytes of a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import CheckpointError

__all__ = ["SIZES", "read_elements"]

_NUMPY = {
    "float64": "f8",
    "float32": "f4",
    "float16": "f2",
    "bfloat16": "u2",
    "int64": "i8",
    "int32": "i4",
    "int16": "i2",
    "int8": "i1",
    "uint64": "u8",
    "uint32": "u4",
    "uint16": "u2",
    "uint8": "u1",
    "bool": "u1",
}

SIZES = {name: int(code[1:]) for name, code in _NUMPY.items()} | {
    "complex64": 8,
    "complex128": 16,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
"""Bytes of an element of each type, by torch's name of the type; also of those that cannot be read."""


def read_elements(
    path: Path,
    dtype: str,
    shape: tuple[int, ...],
    *,
    at: int,
    strides: tuple[int, ...] | None = None,
    big_endian: bool = False,
) -> NDArray[Any]:
    """A tensor out of a file; of one with strides, what lies between its first and its last number is read.

    Args:
        path: The file.
        dtype: Type of the numbers in the file, by torch's name; bfloat16 is given as float32.
        shape: Dimensions.
        at: Where its first number begins in the file, in bytes.
        strides: Steps from one number to the next in each dimension, in numbers; those of C order when left out.
        big_endian: The most significant byte comes first.

    Raises:
        CheckpointError: The file is gone or was cut off since, or the type is none that NumPy has.
    """
    if dtype not in _NUMPY:
        raise CheckpointError(
            f"{path} holds a tensor of type {dtype}, which cannot be read here.",
            f"Save it as float32; these can be read: {', '.join(_NUMPY)}.",
        )
    stored = np.dtype((">" if big_endian else "<") + _NUMPY[dtype])
    if strides is None or 0 in shape or _in_c_order(shape, strides):
        array = _read(path, stored, at, math.prod(shape)).reshape(shape)
    else:
        span = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        flat = _read(path, stored, at, span)
        array = np.lib.stride_tricks.as_strided(flat, shape, [stride * stored.itemsize for stride in strides])
    if dtype == "bfloat16":
        # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array != 0 if dtype == "bool" else array


def _in_c_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    step = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True


def _read(path: Path, dtype: np.dtype[Any], at: int, count: int) -> NDArray[Any]:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(at)
            array = np.fromfile(file, dtype, count)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check that it is still there.") from error
    if array.size < count:
        raise CheckpointError(f"{path} was cut off while it was read.", "Copy it again.")
    return array
