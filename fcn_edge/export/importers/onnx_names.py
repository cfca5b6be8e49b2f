"""Clean names for other programs' graphs: of layers, not of a tracer's steps."""

from __future__ import annotations

import re
from collections import Counter

from onnx import ModelProto, NodeProto

__all__ = ["OURS", "rename"]

_TRACER = re.compile(r"^onnx::|^/|^p2o\.|_output_\d+$|^fcn_edge\.")
_FUSED = re.compile(r"^(Conv\w+?Fusion_[A-Z]+_)+")
"""What ONNX Runtime puts before the name of a weight that it took another layer into."""

_LEGAL = re.compile(r"[^A-Za-z0-9_.]+")
LONGEST = 120

OURS = ("fcn_edge.image", "fcn_edge.scores", "fcn_edge.planes")
"""Names that no exporter gives: of the image, the scores, and the steps between image and network."""


RESERVED = ("labels", *(f"labels.{part}" for part in ("scales", "resize", "squeeze", "argmax", "float")))
"""What a mask in the graph is made of, where one is asked for."""


def rename(model: ModelProto) -> None:
    """Give nodes and tensors names of their layers, in place, and drop what was written down about another machine.

    A convolution and its output are called as its layer: as its weights, without ``.weight``, or as its node, where the
    weights only have a number. Other nodes are called by operator and number (``concat_3``), other constants by number.

    Args:
        model: A graph from ``image`` to ``scores``, without sub-graphs.
    """
    graph = model.graph
    names = dict(zip(OURS, ("image", "scores"), strict=False))
    taken = {*names.values(), *RESERVED}
    count: Counter[str] = Counter()
    weights: dict[str, str] = {}
    for node in graph.node:
        kind = node.op_type.lower()
        layer = _layer(node) if node.op_type in ("Conv", "ConvTranspose") else ""
        if not layer:
            layer = f"{kind}_{count[kind]}"
            count[kind] += 1
        node.name = _free(layer, taken)
        if node.op_type in ("Conv", "ConvTranspose"):
            for name, part in zip(node.input[1:], ("weight", "bias"), strict=False):
                weights.setdefault(name, f"{node.name}.{part}")
        for number, output in enumerate(node.output):
            if output:
                names.setdefault(output, node.name if number == 0 else _free(f"{node.name}.{number}", taken))
    for number, initializer in enumerate(graph.initializer):
        names[initializer.name] = _free(weights.get(initializer.name, f"constant_{number}"), taken)
    for node in graph.node:
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] if name else "" for name in node.output]
    for part in (*graph.initializer, *graph.input, *graph.output):
        part.name = names[part.name]
    del graph.value_info[:], graph.quantization_annotation[:]
    graph.name = "fcn"
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    model.ClearField("domain")
    model.ClearField("model_version")


def _layer(node: NodeProto) -> str:
    """The layer that a node is, from the names that its exporter left; empty where it left numbers only."""
    weight = _FUSED.sub("", node.input[1]) if len(node.input) > 1 else ""
    if weight.endswith(".weight") and not _TRACER.search(weight):
        found = weight.removesuffix(".weight")
    elif node.name.startswith("/"):
        found = node.name.strip("/").replace("/", ".").removesuffix(f".{node.op_type}")
    else:
        return ""
    return _LEGAL.sub("_", found)[:LONGEST].strip(".")


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number that nothing else is called by."""
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
