"""Activations of a ReLU network divided by a power of two, so that FP16 holds them; the scores stay what they are.

VGG-16's activations reach 18,000: with room for other images, FP16 does not hold those of its second and third stage.
The factor goes into weights and biases (see ``homogeneity``). As it is a power of two, every number of the graph keeps
its digits, and so do its scores and its INT8 weights, but for those of channels of the first convolutions that hold
almost nothing: their scales are at the end of FP16 then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

from fcn_edge.artifacts.calibration_table import TensorRange
from fcn_edge.quantization.fp16 import LARGEST, LIMIT, largest, largest_sum
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.homogeneity import scalable_tensors

__all__ = ["divide_activations"]

MOST = 2**8
"""Largest divisor."""

LEAST_RMS = float(np.finfo(np.float16).tiny)
"""Where the root mean square is a normal number of FP16, the error of its smallest numbers, which are 6e-8 apart, is at
most 2^-11 of it: what any number of FP16 may be off."""


def divide_activations(model: ModelProto, ranges: Mapping[str, TensorRange]) -> tuple[int, dict[str, TensorRange]]:
    """Divide a float graph's activations by the smallest power of two with which FP16 holds them, in place.

    Weights that it changes are float32 afterwards, also where they were stored as FP16; those that they replace stay
    in the graph, unread.

    Args:
        model: A graph from a uint8 image to scores or labels.
        ranges: Ranges of its activations.

    Returns:
        The divisor, and the ranges of the graph that it is now. The divisor is 1 and nothing changes where FP16 holds
        all activations as they are, where the network is not homogeneous, and where the divisor would be larger than
        ``MOST`` or leave numbers that FP16 holds with fewer digits or not at all.
    """
    view = GraphView(model)
    tensors = scalable_tensors(view)
    spans = {name: span for name, span in ranges.items() if name in tensors}
    sums = (largest_sum(conv, ranges) for conv in view.convs if conv.node.output[0] in tensors)
    reach = max([*map(largest, spans.values()), *sums], default=0.0)
    divisor = 1
    while reach / divisor > LIMIT and divisor <= MOST:
        divisor *= 2
    if divisor == 1 or divisor > MOST or not _fit(view, tensors, spans, divisor):
        return 1, dict(ranges)
    _Rescaling(view, tensors).run(divisor)
    return divisor, {**ranges, **{name: span.times(1 / divisor) for name, span in spans.items()}}


def _fit(view: GraphView, tensors: frozenset[str], spans: Mapping[str, TensorRange], divisor: int) -> bool:
    """Whether FP16 holds what the divisor makes small, with all digits, and what it makes large."""
    small = [span.rms for span in spans.values()]
    large = [0.0]
    for conv in view.convs:
        before, after = conv.input in tensors, conv.node.output[0] in tensors
        if after and not before:
            small.append(float(np.sqrt(np.mean(np.square(conv.weight, dtype=np.float64)))))
        if before and not after:
            large.append(float(np.abs(conv.weight).max()))
    return all(each == 0 or each / divisor >= LEAST_RMS for each in small) and max(large) * divisor <= LARGEST


class _Rescaling:
    """Writes the constants of convolutions anew."""

    def __init__(self, view: GraphView, tensors: frozenset[str]) -> None:
        self.view, self.tensors = view, tensors
        self.made: dict[tuple[str, float], str] = {}

    def run(self, divisor: int) -> None:
        for node in self.view.model.graph.node:
            if node.op_type in ("Conv", "ConvTranspose"):
                for index, factor in self._factors(node, divisor):
                    node.input[index] = self._times(str(node.input[index]), factor)

    def _factors(self, node: NodeProto, divisor: int) -> Iterator[tuple[int, float]]:
        """The constants of a convolution that change, by index of the input, each with its factor."""
        before, after = node.input[0] in self.tensors, node.output[0] in self.tensors
        if after and not before:
            yield 1, 1 / divisor
        if before and not after:
            yield 1, float(divisor)
        if after and len(node.input) > 2 and node.input[2]:
            yield 2, 1 / divisor

    def _times(self, name: str, factor: float) -> str:
        key = (name, factor)
        if key not in self.made:  # others may read the constant without the factor, or with another
            values = self.view.array(name)
            assert values is not None  # or the graph had no scalable tensors
            self.made[key] = self._constant(f"{name}.times_{factor:g}", values * np.float32(factor))
        return self.made[key]

    def _constant(self, name: str, values: NDArray[np.float32]) -> str:
        self.view.model.graph.initializer.append(numpy_helper.from_array(values, name))
        return name
