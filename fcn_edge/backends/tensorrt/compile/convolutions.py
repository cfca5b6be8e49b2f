"""Which convolutions of a network got INT8 operands in the plan, weighed by their multiplications."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fcn_edge.backends.tensorrt.compile.layers import PlanLayer

__all__ = ["Convolution", "convolutions_of", "in_plan", "int8_share", "unknown_convolutions"]

_KERNEL = re.compile("conv|correlation|gemm|fusion", re.I)
_OTHER_KERNEL = re.compile("deconv", re.I)


@dataclass(frozen=True)
class Convolution:
    """A convolution of the graph.

    Attributes:
        name: Name of its ONNX node.
        macs: Multiplications with accumulation for one image.
        depthwise: Each output channel is of one input channel.
        quantized: The graph gives it a dequantized input.
        int8: The plan gives it INT8 operands; None where no kernel of the plan names it.
    """

    name: str
    macs: int
    depthwise: bool
    quantized: bool
    int8: bool | None = None


def convolutions_of(trt: Any, network: Any) -> tuple[Convolution, ...]:
    """The convolutions of a network whose shapes are fixed."""
    layers = [network.get_layer(number) for number in range(network.num_layers)]
    dequantized = {layer.get_output(0).name for layer in layers if layer.type == trt.LayerType.DEQUANTIZE}
    found = []
    for layer in layers:
        if layer.type != trt.LayerType.CONVOLUTION:
            continue
        layer.__class__ = trt.IConvolutionLayer  # get_layer gives the base class, which has no groups
        image, result = layer.get_input(0), layer.get_output(0)
        channels, groups = tuple(image.shape)[1], layer.num_groups
        macs = channels // groups * math.prod(layer.kernel_size_nd) * math.prod(result.shape)
        found.append(Convolution(layer.name, macs, groups == channels > 1, image.name in dequantized))
    return tuple(found)


def in_plan(convolutions: Sequence[Convolution], layers: Sequence[PlanLayer]) -> tuple[Convolution, ...]:
    """The same convolutions, with what the plan's layers say of each."""
    kernels = [layer for layer in layers if _KERNEL.search(layer.kind) and not _OTHER_KERNEL.search(layer.kind)]
    types: dict[str, bool] = {}
    for kernel in kernels:
        # scales and biases are constants, too
        weights = sorted(kernel.constants, key=lambda tensor: math.prod(tensor.shape))[-1:]
        operands = [*kernel.inputs[:1], *weights]
        in_int8 = bool(operands) and all(tensor.element == "int8" for tensor in operands)
        for node in kernel.nodes:
            types[node] = types.get(node, True) and in_int8
    return tuple(replace(convolution, int8=types.get(convolution.name)) for convolution in convolutions)


def int8_share(convolutions: Sequence[Convolution]) -> float:
    """Share of the MACs outside depthwise convolutions that the plan is known to do in INT8, 0 to 1.

    It is the least that the plan does: a convolution that no kernel of the plan names counts as not INT8.
    """
    dense = [convolution for convolution in convolutions if not convolution.depthwise]
    return sum(one.macs for one in dense if one.int8) / max(1, sum(one.macs for one in dense))


def unknown_convolutions(convolutions: Sequence[Convolution]) -> int:
    """How many convolutions outside depthwise ones no kernel of the plan names."""
    return sum(one.int8 is None and not one.depthwise for one in convolutions)
