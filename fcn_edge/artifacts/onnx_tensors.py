"""Tensors of ONNX files: their shapes, and whether the file holds as many values as these say.

Libraries take that on trust: a tensor whose values end early was read beyond its end, and one of a shape without
values asks for as much memory as its shape says.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_schema import TENSOR, check_rest, message, text
from fcn_edge.artifacts.protobuf import Buffer, FlawError, WireError, number_at, numbers

__all__ = ["WEIGHT_TYPES", "Tensor", "read_tensor", "signed"]

DIMS, DATA_TYPE, SEGMENT, FLOATS, INT32S, STRINGS, INT64S, NAME, RAW = range(1, 10)
DOUBLES, UINT64S, EXTERNAL, LOCATION, METADATA = 10, 11, 13, 14, 16

MOST_DIMENSIONS = 32
"""Of a tensor; the product of many would take minutes."""

MOST_KNOWN = 64
"""Values of a tensor that are read: sizes, factors and paddings have fewer."""

WEIGHT_TYPES = frozenset({1, 2, 3, 10, 11, 16})
"""float32, uint8, int8, float16, float64, bfloat16; the other types hold shapes and indices."""

_BITS = {
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
}
"""Bits of an element in ``raw_data``, by ONNX's number of the type."""

_STRING = 8
_ELSEWHERE = {
    1: (FLOATS, 1),
    14: (FLOATS, 2),
    7: (INT64S, 1),
    11: (DOUBLES, 1),
    15: (DOUBLES, 2),
    12: (UINT64S, 1),
    13: (UINT64S, 1),
}
"""Where values lie that are not in ``raw_data``, and how many numbers an element is; others are in ``int32_data``."""

_FIXED = {FLOATS: 4, DOUBLES: 8}
_FLOAT16 = 10
_READ = {1: "f", 6: "i", 7: "q", _FLOAT16: "e", 11: "d"}
_HIGH = bytes(range(128, 256))


@dataclass(frozen=True)
class Tensor:
    """A tensor of a file.

    Attributes:
        name: What the graph calls it; empty for one in an attribute.
        element: ONNX's number of the element type.
        dims: Its dimensions.
        external: Its values are in another file.
        values: Those of a small tensor of numbers, floats of 2, 4 or 8 bytes or integers of 4 or 8; None of others.
    """

    name: str
    element: int
    dims: tuple[int, ...]
    external: bool
    values: tuple[float, ...] | None

    @property
    def count(self) -> int:
        """How many values it has."""
        return math.prod(self.dims)


def signed(number: int) -> int:
    """A number of 64 bits, which protobuf writes without its sign."""
    return number - (1 << 64) if number >> 63 else number


def read_tensor(buffer: Buffer, start: int, end: int) -> Tensor:
    """A tensor of a file, its values looked at only where they are few.

    Raises:
        WireError: It is no tensor, or has more or fewer values than its shape says.
        UnicodeDecodeError: Its name is no text.
    """
    name, element = "", 0
    dims: list[int] = []
    held: dict[int, list[tuple[int, int]]] = {}
    external = False
    for number, first, stop in message(buffer, TENSOR, start, end):
        if number == DIMS:
            for value in numbers(buffer, first, stop):
                dims.append(signed(value))
                if len(dims) > MOST_DIMENSIONS:
                    raise WireError
        elif number == DATA_TYPE:
            element = number_at(buffer, first, stop)
        elif number == NAME:
            name = text(buffer, first, stop)
        elif number == LOCATION:
            external |= number_at(buffer, first, stop) == 1
        elif number in (EXTERNAL, METADATA):
            check_rest(buffer, "entry", first, stop)
        elif number == SEGMENT:
            raise WireError
        elif number in (FLOATS, INT32S, STRINGS, INT64S, RAW, DOUBLES, UINT64S):
            held.setdefault(number, []).append((first, stop))
    if min(dims, default=0) < 0:
        raise FlawError(f"{shown(name) or 'a constant'} has a negative length")
    if element not in _BITS and element != _STRING:
        raise FlawError(f"{shown(name) or 'a constant'} is of an element type ({element}) that ONNX does not have")
    count = math.prod(dims)
    if not external:
        found, wanted = _held(buffer, element, held), _wanted(element, count, raw=RAW in held)
        if found != wanted:
            what = "bytes" if RAW in held else "values"
            raise FlawError(f"{shown(name) or 'a constant'} holds {found} {what}, not as many as its shape says")
    values = _values(buffer, element, held) if 0 < count <= MOST_KNOWN and not external else None
    return Tensor(name, element, tuple(dims), external, values)


def _wanted(element: int, count: int, *, raw: bool) -> int | None:
    """Bytes, or numbers, that a tensor's values take; None of texts in raw_data, which may hold none."""
    bits = _BITS.get(element)
    if raw and bits is None:
        return None
    if bits is not None and (raw or bits < 8):
        # numbers of a few bits are as packed as in raw_data
        return -(-count * bits // 8)
    return count * _ELSEWHERE.get(element, (INT32S, 1))[1]


def _held(buffer: Buffer, element: int, held: dict[int, list[tuple[int, int]]]) -> int:
    """Bytes, or numbers, that a tensor holds where its type keeps them.

    Raises:
        WireError: It holds values in several places, or in one that its type does not keep them in.
    """
    if not held:
        return 0
    if len(held) > 1:
        raise WireError
    ((place, pieces),) = held.items()
    if place == RAW:
        if element == _STRING:
            raise WireError
        return sum(stop - first for first, stop in pieces)
    own = STRINGS if element == _STRING else _ELSEWHERE.get(element, (INT32S, 1))[0]
    if place != own:
        raise WireError
    if place == STRINGS:
        return len(pieces)
    if place in _FIXED:
        size = _FIXED[place]
        if any((stop - first) % size for first, stop in pieces):
            raise WireError
        return sum((stop - first) // size for first, stop in pieces)
    # of each number, the last byte alone is below 128
    return sum(len(block.translate(None, _HIGH)) for each in pieces for block in buffer.blocks(*each))


def _values(buffer: Buffer, element: int, held: dict[int, list[tuple[int, int]]]) -> tuple[float, ...] | None:
    """The values of a small tensor."""
    if element not in _READ:
        return None
    ((place, pieces),) = held.items()
    if place in (INT32S, INT64S):
        whole = tuple(signed(value) for each in pieces for value in numbers(buffer, *each))
        if element != _FLOAT16:
            return whole
        return struct.unpack(f"<{len(whole)}e", struct.pack(f"<{len(whole)}H", *(value & 0xFFFF for value in whole)))
    content = b"".join(buffer.read(*each) for each in pieces)
    return struct.unpack(f"<{len(content) // struct.calcsize(_READ[element])}{_READ[element]}", content)
