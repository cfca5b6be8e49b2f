"""Convolutions whose weights and bias fit together: libraries take that on trust.

ONNX Runtime 1.23 computes with a bias of another length than the channels, and reads beyond its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.artifacts.onnx_tensors import Tensor

__all__ = ["unfit_bias"]

_PLACES = {"Conv": (1, 2), "ConvTranspose": (1, 2), "QLinearConv": (3, 8)}
"""Which inputs of an operator its weights and its bias are."""

_PASSED_ON = frozenset({"DequantizeLinear", "QuantizeLinear", "Cast", "Identity"})
"""What gives a tensor of its first input's shape."""


def unfit_bias(nodes: Sequence[Node], constants: Mapping[str, Tensor]) -> str:
    """A sentence's end about the first convolution whose bias has not one value a channel; empty where there is none.

    Args:
        nodes: In the order in which they run; each has the tensors of its operator.
        constants: The graph's weights, by name.
    """
    known = dict(constants)
    for node in nodes:
        constant = node.constant
        if constant is not None:
            known[node.outputs[0]] = constant
        elif node.operator in _PASSED_ON and node.inputs[0] in known:
            known[node.outputs[0]] = replace(known[node.inputs[0]], values=None)
        elif node.operator in _PLACES:
            weight, bias = (_input(node, place, known) for place in _PLACES[node.operator])
            if weight is None or bias is None or len(weight) < 3:
                continue
            (groups,) = node.numbers.get("group", (1,))[:1]
            channels = weight[1] * groups if node.operator == "ConvTranspose" else weight[0]
            if bias != (channels,):
                shape = "x".join(map(str, bias)) or "no axis"
                return (
                    f"holds {node.operator} of {channels} channels with a bias of {shape}; one value a channel was "
                    "expected"
                )
    return ""


def _input(node: Node, place: int, known: Mapping[str, Tensor]) -> tuple[int, ...] | None:
    """Dimensions of an input that stands in the file; None where it does not, or is left out."""
    tensor = known.get(node.inputs[place]) if place < len(node.inputs) else None
    return None if tensor is None else tensor.dims
