"""Bytes and NumPy's arrays and scalars in the placeholders of a pickle.

How NumPy pickles them: numpy/_core/src/multiarray/methods.c (array_reduce, array_setstate), scalartypes.c
(gentype_reduce) and descriptor.c (arraydescr_reduce).
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.weights.inert import Inert

__all__ = ["array_of", "bytes_of", "scalar_of"]

_NUMBER = re.compile(r"[biuf]([1248])")
_MOST_DIMENSIONS = 32


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
    if not isinstance(value, Inert) or not re.fullmatch(r"numpy\._?core\.multiarray\.scalar", value.named):
        return None
    dtype = _dtype_of(value.args[0]) if len(value.args) == 2 else None
    content = bytes_of(value.args[1]) if len(value.args) == 2 else None
    if dtype is None or content is None or len(content) != dtype.itemsize:
        return None
    number: bool | int | float = np.frombuffer(content, dtype)[0].item()
    return number


def array_of(value: Any) -> NDArray[Any] | None:
    """The array of numbers that a value stands for; None for everything else."""
    if not isinstance(value, Inert):
        return None
    if re.fullmatch(r"numpy\._?core\.multiarray\._reconstruct", value.named):
        match value.state:
            case (_, tuple(shape), dtype, fortran, content):
                return _array(shape, dtype, "F" if fortran else "C", content)
    if re.fullmatch(r"numpy\._?core\.numeric\._frombuffer", value.named):
        match value.args:
            case (content, dtype, tuple(shape), order):
                return _array(shape, dtype, "F" if order == "F" else "C", content)
    return None


def _array(shape: tuple[Any, ...], dtype: Any, order: Any, content: Any) -> NDArray[Any] | None:
    number, data = _dtype_of(dtype), bytes_of(content)
    if number is None or data is None or len(shape) > _MOST_DIMENSIONS:
        return None
    if not all(type(size) is int and size >= 0 for size in shape) or math.prod(shape) * number.itemsize != len(data):
        return None
    return np.frombuffer(data, number).reshape(shape, order=order)


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
