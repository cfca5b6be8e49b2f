"""The parts of an ONNX file's graph: its nodes, weights, inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field

from fcn_edge.artifacts.onnx_nodes import Node, read_node
from fcn_edge.artifacts.onnx_schema import GRAPH, MODEL, OPSET, check_rest, message, text
from fcn_edge.artifacts.onnx_tensors import Tensor, read_tensor
from fcn_edge.artifacts.onnx_values import Value, read_value
from fcn_edge.artifacts.protobuf import Buffer, WireError, number_at

__all__ = ["MOST_NODES", "GraphParts", "graph_parts"]

_IR_VERSION, _GRAPH, _OPSET, _METADATA, _TRAINING, _FUNCTION = 1, 7, 8, 14, 20, 25
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _INSIDE, _ANNOTATION, _SPARSE, _GRAPH_METADATA = 1, 5, 11, 12, 13, 14, 15, 16

MOST_NODES = 20_000
"""Of a graph."""

NEWEST_IR_VERSION = 1000
"""Of the format; ONNX counts less than one a year."""

NEWEST_OPSET = 1000
"""Of any operators; ONNX counts one or two a year. OpenVINO takes time by the number."""

MOST_OTHERS = 100_000
"""Parts of a graph that are no nodes: weights, and what is said of the tensors between."""


@dataclass
class GraphParts:
    """What an ONNX file's graph is made of.

    Attributes:
        opset: Version of ONNX's own operators.
        nodes: In the file's order.
        weights: Its initializers.
        inputs: Its inputs, with weights that are listed among them.
        outputs: Its outputs.
        problem: What it holds that no network has, as the rest of a sentence about its file; empty for nothing. The
            parts are not whole then.
    """

    opset: int = 0
    nodes: list[Node] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    problem: str = ""


def graph_parts(buffer: Buffer) -> GraphParts:
    """The parts of a file's graph.

    Raises:
        WireError: The file is not a whole ONNX file.
        UnicodeDecodeError: A name in it is no text.
    """
    parts = GraphParts()
    graph, opsets = None, dict[str, int]()
    for number, first, stop in message(buffer, MODEL, 0, len(buffer)):
        if number == _GRAPH:
            graph = first, stop
        elif number == _OPSET:
            domain, version = _opset(buffer, first, stop)
            if opsets.setdefault(domain, version) != version:
                # of two, each library takes the one it likes
                raise WireError
            if version > NEWEST_OPSET:
                parts.problem = f"is of opset {version}; {NEWEST_OPSET} at most was expected"
        elif number == _IR_VERSION:
            version = number_at(buffer, first, stop)
            if version > NEWEST_IR_VERSION:
                parts.problem = f"is of format version {version}; {NEWEST_IR_VERSION} at most was expected"
        elif number == _METADATA:
            check_rest(buffer, "entry", first, stop)
        elif number in (_TRAINING, _FUNCTION):
            parts.problem = "holds functions or training steps; one plain graph was expected"
    if graph is None:
        raise WireError
    parts.opset = opsets.get("", 0)
    _read_graph(buffer, *graph, parts)
    return parts


def _opset(buffer: Buffer, start: int, end: int) -> tuple[str, int]:
    """Whose operators, empty for ONNX's own, and their version."""
    found = {field: (a, b) for field, a, b in message(buffer, OPSET, start, end)}
    domain = text(buffer, *found[1]) if 1 in found else ""
    return "" if domain == "ai.onnx" else domain, number_at(buffer, *found[2]) if 2 in found else 0


def _read_graph(buffer: Buffer, start: int, end: int, parts: GraphParts) -> None:
    for count, (number, first, stop) in enumerate(message(buffer, GRAPH, start, end)):
        if count - len(parts.nodes) > MOST_OTHERS:
            raise WireError
        if number == _NODE:
            if len(parts.nodes) == MOST_NODES:
                parts.problem = f"has more than {MOST_NODES} nodes, which is more than any network has"
                return
            parts.nodes.append(read_node(buffer, first, stop))
        elif number == _INITIALIZER:
            parts.weights.append(read_tensor(buffer, first, stop))
        elif number == _INPUT:
            parts.inputs.append(read_value(buffer, first, stop))
        elif number == _OUTPUT:
            parts.outputs.append(read_value(buffer, first, stop))
        elif number == _INSIDE:
            check_rest(buffer, "value", first, stop)
        elif number == _ANNOTATION:
            check_rest(buffer, "annotation", first, stop)
        elif number == _GRAPH_METADATA:
            check_rest(buffer, "entry", first, stop)
        elif number == _SPARSE:
            parts.problem = "holds sparse weights; dense ones were expected"
