"""Nodes whose numbers ask for more memory than any network needs: a file of 4 kB may ask for 400 GB.

What counts are numbers that stand in the file: those of attributes, and of small constants. Sizes that are computed of
others when the network runs are not followed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.artifacts.onnx_tensors import Tensor

__all__ = ["MOST_VALUES", "growing_operator"]

MOST_VALUES = 1 << 29
"""Of one tensor: 2 GiB of floats."""

MOST_TIMES = 1 << 24
"""That a tensor may become larger: one cell that is enlarged to a whole image, at most."""

MOST_REACH = 1 << 13
"""Pixels that a kernel, its steps or its padding reach over."""

_REACHING = (
    *("pads", "strides", "dilations", "kernel_shape", "output_padding", "output_shape"),
    *("output_height", "output_width"),
)
"""Attributes."""

_SIZES = {
    "ConstantOfShape": 0,
    "Expand": 1,
    "AffineGrid": 1,
    "CenterCropPad": 1,
    "Col2Im": 1,
    "MaxUnpool": 2,
    "Resize": 3,
}
_TIMES = {"Tile": 1, "Resize": 2, "Upsample": 1}
_REACHES = {"Pad": 1}
_COUNTS = {"BlackmanWindow": 0, "HammingWindow": 0, "HannWindow": 0, "DFT": 1, "OneHot": 1}
"""Which input of an operator says how large what it gives is, how many times larger, how far it reaches, how long."""


def growing_operator(nodes: Sequence[Node], constants: Mapping[str, Tensor]) -> str:
    """The first operator that asks for more than any network needs; empty where none does.

    Args:
        nodes: Of the graph; each has the tensors of its operator.
        constants: Its weights, by name.
    """
    known = dict(constants)
    for node in nodes:
        constant = node.constant
        if constant is not None:
            known[node.outputs[0]] = constant
        if _grows(node, known):
            return node.operator
    return ""


def _grows(node: Node, known: Mapping[str, Tensor]) -> bool:
    def numbers(place: int | None) -> tuple[float, ...]:
        tensor = known.get(node.inputs[place]) if place is not None and place < len(node.inputs) else None
        return () if tensor is None or tensor.values is None else tensor.values

    operator = node.operator
    if operator == "Range":
        start, limit, step = (numbers(place)[:1] or (math.nan,) for place in range(3))
        return abs(limit[0] - start[0]) > MOST_VALUES * abs(step[0])
    return (
        _product(numbers(_SIZES.get(operator))) > MOST_VALUES
        or _product(node.numbers.get("shape", ()) if operator.startswith("Random") else ()) > MOST_VALUES
        or _product(numbers(_TIMES.get(operator))) > MOST_TIMES
        or _product(node.numbers.get("scales", ())) > MOST_TIMES
        or _largest(numbers(_COUNTS.get(operator))) > MOST_TIMES
        or _largest(numbers(_REACHES.get(operator))) > MOST_REACH
        or any(_largest(node.numbers.get(name, ())) > MOST_REACH for name in _REACHING)
    )


def _product(values: Sequence[float]) -> float:
    # of numbers below 1 none makes room for others
    return math.prod(max(abs(value), 1) for value in values if not math.isnan(value))


def _largest(values: Sequence[float]) -> float:
    return max((abs(value) for value in values if not math.isnan(value)), default=0)
