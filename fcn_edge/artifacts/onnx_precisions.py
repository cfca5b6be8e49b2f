"""Which nodes of an ONNX file compute in float32 where the rest computes in FP16, told without the onnx package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fcn_edge.artifacts.onnx_header import opened_onnx
from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.artifacts.onnx_parts import graph_parts

__all__ = ["float32_islands"]

_FLOAT, _INT8, _INT64, _BOOL, _FLOAT16 = 1, 3, 7, 9, 10
"""ONNX's numbers of element types."""

_GIVES = {
    "QuantizeLinear": _INT8,
    **dict.fromkeys(("ArgMax", "ArgMin", "NonZero", "Shape", "Size"), _INT64),
    **dict.fromkeys(("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"), _BOOL),
}
"""What operators give that give no tensor of their first input's type."""

_LIKE = {"CastLike": 1, "DequantizeLinear": 1, "Where": 1}
"""Which input has the type of what an operator gives, where that is not the first."""

_NO_ARITHMETIC = frozenset({"Cast", "CastLike", "Constant", "ConstantOfShape", "DequantizeLinear"})


def float32_islands(path: Path) -> frozenset[str]:
    """Names of the nodes of a flat graph that compute in float32, where others compute in FP16; none where none do.

    Args:
        path: A file that ``checked_graph`` has passed.

    Raises:
        ModelError: It is missing or damaged.
    """
    with opened_onnx(path) as buffer:
        parts = graph_parts(buffer)
    types = {value.name: value.element for value in parts.inputs}
    types |= {tensor.name: tensor.element for tensor in parts.weights}
    found = set()
    for node in parts.nodes:
        given = _type(node, types)
        types.update(dict.fromkeys(node.outputs, given))
        if given == _FLOAT and node.operator not in _NO_ARITHMETIC:
            found.add(node.name)
    return frozenset(found - {""}) if _FLOAT16 in types.values() else frozenset()


def _type(node: Node, types: Mapping[str, int]) -> int:
    """ONNX's number of the type of what a node gives first; 0 where it cannot be told."""
    for attribute in ("to", "output_dtype"):
        if attribute in node.numbers:
            return int(node.numbers[attribute][0])
    constant = node.constant or next((tensors[0] for tensors in node.tensors.values()), None)
    if constant is not None:
        return constant.element
    if node.operator == "ConstantOfShape":
        return _FLOAT
    if node.operator in _GIVES:
        return _GIVES[node.operator]
    place = _LIKE.get(node.operator, 0)
    return types.get(node.inputs[place], 0) if place < len(node.inputs) else 0
