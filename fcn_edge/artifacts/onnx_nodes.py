"""Nodes of ONNX files: what each takes, gives and is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from fcn_edge.artifacts.onnx_schema import ATTRIBUTE, NODE, check_rest, message, text
from fcn_edge.artifacts.onnx_tensors import Tensor, read_tensor, signed
from fcn_edge.artifacts.protobuf import Buffer, WireError, numbers

__all__ = ["Node", "read_node"]

_INPUT, _OUTPUT, _NAME, _OPERATOR, _ATTRIBUTE, _DOMAIN, _METADATA = 1, 2, 3, 4, 5, 7, 9
_ATTRIBUTE_NAME, _INT, _TENSOR, _INTS, _TENSORS = 1, 3, 5, 8, 10
_BRANCHES = frozenset({6, 11})
_OTHERS = frozenset({14, 15, 22, 23})

MOST_INTS = 1024
"""Of one attribute: one an axis, mostly."""


@dataclass
class Node:
    """A node of a graph.

    Attributes:
        operator: What it computes.
        domain: Whose operator that is; empty for ONNX's own.
        inputs: Names of the tensors that it takes; empty for one that is left out.
        outputs: Names of those that it gives; empty for one that is left out.
        ints: Its attributes of integers, by name.
        tensors: Its attributes of tensors, by name.
        branches: It holds graphs.
        others: It holds sparse tensors or types.
    """

    operator: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    ints: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tensors: dict[str, list[Tensor]] = field(default_factory=dict)
    branches: bool = False
    others: bool = False

    @property
    def own(self) -> bool:
        """Its operator is one of ONNX's own."""
        return self.domain in ("", "ai.onnx")


def read_node(buffer: Buffer, start: int, end: int) -> Node:
    """A node of a file.

    Raises:
        WireError: It is none.
        UnicodeDecodeError: A name of it is no text.
    """
    node = Node()
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
            text(buffer, first, stop)
        elif number == _ATTRIBUTE:
            _read_attribute(buffer, first, stop, node)
        elif number == _METADATA:
            check_rest(buffer, "entry", first, stop)
    return node


def _read_attribute(buffer: Buffer, start: int, end: int, node: Node) -> None:
    name = ""
    ints: list[int] = []
    tensors: list[Tensor] = []
    for number, first, stop in message(buffer, ATTRIBUTE, start, end):
        if number == _ATTRIBUTE_NAME:
            name = text(buffer, first, stop)
        elif number in (_INT, _INTS):
            for value in numbers(buffer, first, stop):
                ints.append(signed(value))
                if len(ints) > MOST_INTS:
                    raise WireError
        elif number in (_TENSOR, _TENSORS):
            tensors.append(read_tensor(buffer, first, stop))
        node.branches |= number in _BRANCHES
        node.others |= number in _OTHERS
    if ints:
        node.ints[name] = tuple(ints)
    if tensors:
        node.tensors[name] = tensors
