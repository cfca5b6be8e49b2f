"""Parts of graphs: their tensors, and what tensors are made of."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

__all__ = ["keep_only", "tensors_of"]


def keep_only(graph: GraphProto, wanted: set[str]) -> None:
    """Drop what tensors are not made of, in place: nodes, weights, and what is said of the shapes between.

    Args:
        graph: A graph whose nodes are in order.
        wanted: Names of the tensors.
    """
    needed, kept = set(wanted), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed.update(name for name in node.input if name)
            kept.append(node)
    nodes = list(reversed(kept))
    weights = [each for each in graph.initializer if each.name in needed]
    if len(nodes) != len(graph.node):
        del graph.node[:]
        graph.node.extend(nodes)
    if len(weights) != len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(weights)
    del graph.value_info[:]


def tensors_of(model: ModelProto) -> Iterator[TensorProto]:
    """The weights of a model and the constants of its nodes."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
