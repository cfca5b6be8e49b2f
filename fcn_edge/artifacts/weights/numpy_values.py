"""Bytes and NumPy's arrays and scalars in the placeholders of a pickle.

How NumPy pickles them: numpy/_core/src/multiarray/methods.c (array_reduce, array_setstate), scalartypes.c
(gentype_reduce) and descriptor.c (arraydescr_reduce).
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.weights.inert import Inert

__all__ = ["array_of", "bytes_of", "scalar_of"]

_NUMBER = re.compile(r"[biuf]([1248])")
_SCALAR = re.compile(r"numpy\._?core\.multiarray\.scalar")
_ARRAY = re.compile(r"numpy\._?core\.multiarray\._reconstruct")
_BUFFER = re.compile(r"numpy\._?core\.numeric\._frombuffer")
_MOST_DIMENSIONS = 32
_MOST_NUMBERS = 1 << 32


def bytes_of(value: Any) -> bytes | None:
    """The bytes that a value stands for: pickles of protocol 2 write them as a text that is to be encoded."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, Inert) and value.named == "_codecs.encode" and len(value.args) == 2:
        value, encoding = value.args
        if encoding not in ("latin1", "latin-1"):
            return None
    elif isinstance(value, Inert) and value.named == "builtins.bytes" and not value.args:
        return b""
    try:
        return value.encode("latin1") if isinstance(value, str) else None
    except UnicodeEncodeError:
        return None


def scalar_of(value: Any) -> bool | int | float | None:
    """The number that a NumPy scalar stands for; None for everything else."""
    if not isinstance(value, Inert) or not _SCALAR.fullmatch(value.named) or len(value.args) != 2:
        return None
    array = _array((1,), value.args[0], "C", value.args[1])
    number: bool | int | float | None = None if array is None else array[0].item()
    return number


def array_of(value: Any, largest: int | None = None) -> NDArray[Any] | None:
    """The array of numbers that a value stands for; None for everything else, and for more than ``largest`` numbers."""
    if not isinstance(value, Inert):
        return None
    if _ARRAY.fullmatch(value.named):
        match value.state:
            case (_, tuple(shape), dtype, fortran, content):
                return _array(shape, dtype, "F" if fortran else "C", content, largest)
    if _BUFFER.fullmatch(value.named):
        match value.args:
            case (content, dtype, tuple(shape), order):
                return _array(shape, dtype, "F" if order == "F" else "C", content, largest)
    return None


def _array(
    shape: tuple[Any, ...], dtype: Any, order: Literal["C", "F"], content: Any, largest: int | None = None
) -> NDArray[Any] | None:
    number = _dtype_of(dtype)
    if number is None or len(shape) > _MOST_DIMENSIONS:
        return None
    if not all(type(size) is int and 0 <= size <= _MOST_NUMBERS for size in shape):
        return None
    count = math.prod(shape)
    # what is not wanted is not decoded: there may be many of it
    if count > (_MOST_NUMBERS if largest is None else largest) or _length(content) != count * number.itemsize:
        return None
    data = bytes_of(content)
    return None if data is None else np.frombuffer(data, number).reshape(shape, order=order)


def _length(content: Any) -> int:
    """How many bytes or letters a value has; -1 where it is none."""
    if isinstance(content, Inert):
        content = content.args[0] if content.args else b""
    return len(content) if isinstance(content, bytes | bytearray | str) else -1


def _dtype_of(value: Any) -> np.dtype[Any] | None:
    """The type of numbers that a placeholder of numpy.dtype stands for."""
    match value:
        case Inert(named="numpy.dtype", args=(str(code), *_), state=state) if _NUMBER.fullmatch(code):
            order = state[1] if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|") else "<"
            try:
                return np.dtype(f"{order}{code}")
            except TypeError:
                return None
    return None
