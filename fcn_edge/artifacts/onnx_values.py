"""Inputs and outputs of ONNX graphs: their names, types and shapes."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.artifacts.onnx_schema import DIMENSION, TYPE, VALUE, check_rest, message, text
from fcn_edge.artifacts.onnx_tensors import MOST_DIMENSIONS, signed
from fcn_edge.artifacts.protobuf import Buffer, WireError, fields, number_at

__all__ = ["Value", "read_value"]

_NAME, _TYPE = 1, 2
_TENSOR_TYPE, _ELEMENT_TYPE, _SHAPE, _DIMENSION, _LENGTH, _OPEN = 1, 1, 2, 1, 1, 2


@dataclass(frozen=True)
class Value:
    """An input or output of a graph.

    Attributes:
        name: What the graph calls it.
        element: ONNX's number of the element type; 0 when it is not a tensor.
        shape: Along each axis a length, or the name of one that is open (empty when it has none).
    """

    name: str
    element: int
    shape: tuple[int | str, ...]


def read_value(buffer: Buffer, start: int, end: int) -> Value:
    """An input or output of a file's graph.

    Raises:
        WireError: It is none, or of more dimensions than any.
        UnicodeDecodeError: Its name, or that of a length, is no text.
    """
    check_rest(buffer, "value", start, end)
    name, element = "", 0
    shape: list[int | str] = []
    for number, first, stop in message(buffer, VALUE, start, end):
        if number == _NAME:
            name = text(buffer, first, stop)
        elif number == _TYPE:
            for field, a, b in message(buffer, TYPE, first, stop):
                if field != _TENSOR_TYPE:
                    continue
                for part, c, d in fields(buffer, a, b):
                    if part == _ELEMENT_TYPE:
                        element = number_at(buffer, c, d)
                    elif part == _SHAPE:
                        shape += _shape(buffer, c, d)
    return Value(name, element, tuple(shape))


def _shape(buffer: Buffer, start: int, end: int) -> list[int | str]:
    shape: list[int | str] = []
    for number, first, stop in fields(buffer, start, end):
        if number == _DIMENSION:
            shape.append(_side(buffer, first, stop))
            if len(shape) > MOST_DIMENSIONS:
                raise WireError
    return shape


def _side(buffer: Buffer, start: int, end: int) -> int | str:
    for number, first, stop in message(buffer, DIMENSION, start, end):
        if number == _LENGTH:
            return signed(number_at(buffer, first, stop))
        if number == _OPEN:
            return text(buffer, first, stop)
    return ""
