"""Nodes of ONNX files: what each takes, gives and is told."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_schema import ATTRIBUTE, NODE, check_rest, message, text
from fcn_edge.artifacts.onnx_tensors import Tensor, read_tensor, signed
from fcn_edge.artifacts.protobuf import Buffer, FlawError, WireError, numbers

__all__ = ["Node", "read_node"]

_INPUT, _OUTPUT, _NAME, _OPERATOR, _ATTRIBUTE, _DOMAIN, _METADATA = 1, 2, 3, 4, 5, 7, 9
_ATTRIBUTE_NAME, _FLOAT, _INT, _TENSOR, _FLOATS, _INTS, _TENSORS = 1, 2, 3, 5, 7, 8, 10
_BRANCHES = frozenset({6, 11})
_OTHERS = frozenset({14, 15, 22, 23})

_GIVEN = {"value_int": 7, "value_ints": 7, "value_float": 1, "value_floats": 1}
"""What a Constant may give besides a tensor, and ONNX's number of its element type."""

MOST_NUMBERS = 1024
"""Of one attribute that are read: sizes and factors are one an axis, mostly."""


@dataclass
class Node:
    """A node of a graph.

    Attributes:
        operator: What it computes.
        domain: Whose operator that is; empty for ONNX's own.
        inputs: Names of the tensors that it takes; empty for one that is left out.
        outputs: Names of those that it gives; empty for one that is left out.
        numbers: Its attributes of integers or floats, by name.
        tensors: Its attributes of tensors, by name.
        branches: It holds graphs.
        others: It holds sparse tensors or types.
        name: What the file calls it; often empty.
    """

    operator: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    numbers: dict[str, tuple[float, ...]] = field(default_factory=dict)
    tensors: dict[str, list[Tensor]] = field(default_factory=dict)
    branches: bool = False
    others: bool = False
    name: str = ""

    @property
    def own(self) -> bool:
        """Its operator is one of ONNX's own."""
        return self.domain in ("", "ai.onnx")

    @property
    def constant(self) -> Tensor | None:
        """What a Constant gives, where that is a tensor or a few numbers; None of other nodes."""
        if self.operator != "Constant":
            return None
        if "value" in self.tensors:
            return self.tensors["value"][0]
        for name, element in _GIVEN.items():
            values = self.numbers.get(name, ())
            if 0 < len(values) < MOST_NUMBERS:
                return Tensor("", element, (len(values),) if name.endswith("s") else (), False, values)
        return None


def read_node(buffer: Buffer, start: int, end: int) -> Node:
    """A node of a file.

    Raises:
        WireError: It is none, or has two attributes of one name, of which each library takes the one it likes.
        UnicodeDecodeError: A name of it is no text.
    """
    node, attributes = Node(), set[str]()
    for number, first, stop in message(buffer, NODE, start, end):
        if number == _INPUT:
            node.inputs.append(text(buffer, first, stop))
        elif number == _OUTPUT:
            node.outputs.append(text(buffer, first, stop))
        elif number == _OPERATOR:
            node.operator = text(buffer, first, stop)
        elif number == _DOMAIN:
            node.domain = text(buffer, first, stop)
        elif number == _NAME:
            node.name = text(buffer, first, stop)
        elif number == _ATTRIBUTE:
            name = _read_attribute(buffer, first, stop, node)
            if name in attributes:
                raise FlawError(f"a node of it has two attributes {shown(name)!r}")
            attributes.add(name)
        elif number == _METADATA:
            check_rest(buffer, "entry", first, stop)
    return node


def _read_attribute(buffer: Buffer, start: int, end: int, node: Node) -> str:
    """Add an attribute to its node, and give its name."""
    name = ""
    values: list[float] = []
    tensors: list[Tensor] = []
    for number, first, stop in message(buffer, ATTRIBUTE, start, end):
        if number == _ATTRIBUTE_NAME:
            name = text(buffer, first, stop)
        elif number in (_INT, _INTS, _FLOAT, _FLOATS):
            if len(values) < MOST_NUMBERS:
                more = _floats(buffer, first, stop) if number in (_FLOAT, _FLOATS) else _ints(buffer, first, stop)
                values += islice(more, MOST_NUMBERS)
        elif number in (_TENSOR, _TENSORS):
            tensors.append(read_tensor(buffer, first, stop))
        node.branches |= number in _BRANCHES
        node.others |= number in _OTHERS
    if values:
        node.numbers[name] = tuple(values)
    if tensors:
        node.tensors[name] = tensors
    return name


def _ints(buffer: Buffer, start: int, end: int) -> Iterator[int]:
    return map(signed, numbers(buffer, start, end))


def _floats(buffer: Buffer, start: int, end: int) -> Iterator[float]:
    if (end - start) % 4:
        raise WireError
    return (struct.unpack("<f", buffer.read(at, at + 4))[0] for at in range(start, end, 4))
