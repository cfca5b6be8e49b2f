"""Whether a graph is one flat list of ONNX's own operators, each behind what it takes.

Only such a graph surely ends: libraries follow a cycle for ever, and a loop as often as it says, and neither Ctrl-C nor
SIGTERM reaches them there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.artifacts.onnx_operators import has_its_tensors

__all__ = ["problem_of"]


def problem_of(nodes: Sequence[Node], given: Collection[str], wanted: Collection[str]) -> str:
    """What keeps a graph from being such a list, as the rest of a sentence about its file; empty when it is one.

    Args:
        nodes: In the file's order.
        given: Names of the graph's inputs and weights.
        wanted: Names of its outputs.
    """
    known = set(given)
    for node in nodes:
        if node.branches:
            return (
                f"holds {shown(node.operator)} with a graph of its own; a network without branches and loops was "
                "expected"
            )
        if not node.own:
            return f"holds {shown(node.operator)} of {shown(node.domain)}; only ONNX's own operators were expected"
        if node.others:
            return f"holds {shown(node.operator)} with sparse tensors or types; plain tensors were expected"
        if not has_its_tensors(node.operator, node.inputs, node.outputs):
            return f"holds {shown(node.operator)} with too few or too many tensors; as many as ONNX says were expected"
        for name in node.inputs:
            if name and name not in known:
                return (
                    f"holds {shown(node.operator)} that takes {shown(name)!r}, which nothing before it gives; nodes in "
                    "the order in which they run were expected"
                )
        for name in node.outputs:
            if name and name in known:
                return f"gives {shown(name)!r} twice; every tensor was expected once"
            known.add(name)
    missing = next((name for name in wanted if name not in known), None)
    return "" if missing is None else f"is to give {shown(missing)!r}, which no node of it gives"
