"""ONNX's messages: which fields each has, and the walk that holds a file to them.

Field numbers and types are those of the ONNX specification (onnx.proto). Protobuf's own parsers are lenient: of a field
that a message has once, the last one counts, and messages that come twice are merged; a field of another wire type is
skipped. Then two readers of one file could see two networks, so that such files count as damaged. No library writes
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from fcn_edge.artifacts.protobuf import BYTES, FIXED32, FIXED64, VARINT, Buffer, WireError, tagged

__all__ = [
    "ATTRIBUTE",
    "DIMENSION",
    "ENTRY",
    "GRAPH",
    "MODEL",
    "NODE",
    "OPSET",
    "TENSOR",
    "TYPE",
    "VALUE",
    "Field",
    "check_rest",
    "message",
    "text",
]

MOST_NESTED = 12
"""Messages in one another, of which models, graphs, values and types of tensors need eight."""

LONGEST_NAME = 4096
"""Bytes of a name."""


@dataclass(frozen=True)
class Field:
    """A field of a message.

    Attributes:
        kind: Its wire type; of numbers that may be packed, that of one alone.
        many: It may come more than once.
        message: The message that it holds; None for numbers, texts and bytes.
        packed: Its numbers may also come as bytes, one after the other.
        choice: Of fields with the same letter, a message has one.
    """

    kind: int = BYTES
    many: bool = False
    message: str | None = None
    packed: bool = False
    choice: str = ""


_NUMBER = Field(VARINT)
_ONCE = Field()
_TEXTS = Field(many=True)
_NUMBERS = Field(VARINT, many=True, packed=True)
_FLOATS = Field(FIXED32, many=True, packed=True)
_DOUBLES = Field(FIXED64, many=True, packed=True)


def _one(name: str, choice: str = "") -> Field:
    return Field(message=name, choice=choice)


def _many(name: str) -> Field:
    return Field(many=True, message=name)


Schema = MappingProxyType[int, Field]

_ENTRIES = _many("entry")

MODEL: Schema = MappingProxyType(
    {
        **dict.fromkeys((1, 5), _NUMBER),
        **dict.fromkeys((2, 3, 4, 6), _ONCE),
        7: _one("graph"),
        8: _many("opset"),
        14: _ENTRIES,
        20: _TEXTS,
        25: _TEXTS,
        26: _TEXTS,
    }
)
"""Steps of training, functions and configurations of devices are bytes here: no network that is taken has them."""

GRAPH: Schema = MappingProxyType(
    {
        1: _many("node"),
        **dict.fromkeys((2, 10), _ONCE),
        5: _many("tensor"),
        **dict.fromkeys((11, 12, 13), _many("value")),
        14: _many("annotation"),
        15: _TEXTS,
        16: _ENTRIES,
    }
)

NODE: Schema = MappingProxyType(
    {
        **dict.fromkeys((1, 2), _TEXTS),
        **dict.fromkeys((3, 4, 6, 7, 8), _ONCE),
        5: _many("attribute"),
        9: _ENTRIES,
        10: _TEXTS,
    }
)

ATTRIBUTE: Schema = MappingProxyType(
    {
        **dict.fromkeys((1, 4, 6, 13, 14, 21, 22), _ONCE),
        2: Field(FIXED32),
        **dict.fromkeys((3, 20), _NUMBER),
        5: _one("tensor"),
        7: _FLOATS,
        8: _NUMBERS,
        **dict.fromkeys((9, 11, 15, 23), _TEXTS),
        10: _many("tensor"),
    }
)
"""Graphs, sparse tensors and types are bytes here: no network that is taken has them."""

TENSOR: Schema = MappingProxyType(
    {
        **dict.fromkeys((1, 5, 7, 11), _NUMBERS),
        **dict.fromkeys((2, 14), _NUMBER),
        **dict.fromkeys((3, 8, 9, 12), _ONCE),
        4: _FLOATS,
        6: _TEXTS,
        10: _DOUBLES,
        **dict.fromkeys((13, 16), _ENTRIES),
    }
)

VALUE: Schema = MappingProxyType({1: _ONCE, 2: _one("type"), 3: _ONCE, 4: _ENTRIES})
TYPE: Schema = MappingProxyType(
    {
        **dict.fromkeys((1, 8), _one("tensor type", "kind")),
        **dict.fromkeys((4, 9), _one("element", "kind")),
        5: _one("map", "kind"),
        7: Field(choice="kind"),
        6: _ONCE,
    }
)
DIMENSION: Schema = MappingProxyType({1: Field(VARINT, choice="side"), 2: Field(choice="side"), 3: _ONCE})
ENTRY: Schema = MappingProxyType({1: _ONCE, 2: _ONCE})
OPSET: Schema = MappingProxyType({1: _ONCE, 2: _NUMBER})

_MESSAGES = {
    "graph": GRAPH,
    "opset": OPSET,
    "entry": ENTRY,
    "node": NODE,
    "attribute": ATTRIBUTE,
    "tensor": TENSOR,
    "value": VALUE,
    "annotation": MappingProxyType({1: _ONCE, 2: _ENTRIES}),
    "type": TYPE,
    "tensor type": MappingProxyType({1: _NUMBER, 2: _one("shape")}),
    "shape": MappingProxyType({1: _many("dimension")}),
    "dimension": DIMENSION,
    "element": MappingProxyType({1: _one("type")}),
    "map": MappingProxyType({1: _NUMBER, 2: _one("type")}),
}


def message(buffer: Buffer, schema: Schema, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each field of a message; those that the schema does not know are left out.

    Raises:
        WireError: The bytes are not such a message.
    """
    seen: set[int | str] = set()
    for number, kind, first, stop in tagged(buffer, start, end):
        field = schema.get(number)
        if field is None:
            # of a newer ONNX
            continue
        if kind != field.kind and not (field.packed and kind == BYTES):
            raise WireError
        if not field.many:
            key = field.choice or number
            if key in seen:
                raise WireError
            seen.add(key)
        yield number, first, stop


def check_rest(buffer: Buffer, name: str, start: int, end: int, depth: int = 0) -> None:
    """Hold a message, and all in it, to the schema, where nothing of it is wanted.

    Args:
        buffer: The file.
        name: What kind of message it is: ``entry``, ``value``, ``annotation``.
        start: Its first byte.
        end: Its end.
        depth: Messages around it.

    Raises:
        WireError: The bytes are not such a message, or messages lie in one another deeper than in any network.
    """
    if depth > MOST_NESTED:
        raise WireError
    schema = _MESSAGES[name]
    for number, first, stop in message(buffer, schema, start, end):
        below = schema[number].message
        if below is not None:
            check_rest(buffer, below, first, stop, depth + 1)


def text(buffer: Buffer, start: int, end: int) -> str:
    """A name.

    Raises:
        WireError: It is longer than any.
        UnicodeDecodeError: It is no text.
    """
    if end - start > LONGEST_NAME:
        raise WireError
    return buffer.read(start, end).decode()
