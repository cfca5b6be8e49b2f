"""An ONNX graph as a PyTorch module with the same weights, as onnx2torch and its like make it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from fcn_edge.errors import ModelError

__all__ = ["module_of_onnx"]

WITHOUT_TORCH = "Name the other peers with --only."


def module_of_onnx(path: Path) -> nn.Module:
    """The network of an ONNX file, in evaluation mode: a graph of torch's own operations, which it can compile.

    Raises:
        ModelError: It has an operator, or a padding, that none of our networks has.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = onnx.load(path).graph
    constants: dict[str, Any] = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    root, made = nn.Module(), fx.Graph()
    values: dict[str, Any] = {graph.input[0].name: made.placeholder("image")}
    for place, node in enumerate(graph.node):
        how = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        given: list[Any] = [values.get(name) for name in node.input]
        fixed: list[Any] = [constants.get(name) for name in node.input]
        if node.op_type == "Conv":
            root.add_module(f"layer{place}", _convolution(fixed[1], fixed[2] if len(fixed) > 2 else None, how))
            values[node.output[0]] = made.call_module(f"layer{place}", (given[0],))
        elif node.op_type == "MaxPool":
            root.add_module(f"layer{place}", _max_pool(how))
            values[node.output[0]] = made.call_module(f"layer{place}", (given[0],))
        elif node.op_type == "Clip":
            values[node.output[0]] = made.call_function(
                functional.hardtanh, (given[0], float(fixed[1]), float(fixed[2]))
            )
        elif node.op_type == "Relu":
            values[node.output[0]] = made.call_function(functional.relu, (given[0],))
        elif node.op_type == "Add":
            values[node.output[0]] = made.call_function(torch.add, (given[0], given[1]))
        elif node.op_type == "Resize":
            factors = tuple(float(value) for value in fixed[2][2:])
            values[node.output[0]] = made.call_function(_upsampled, (given[0], factors))
        elif node.op_type == "Identity" or (node.op_type == "Cast" and how["to"] == TensorProto.FLOAT):
            values[node.output[0]] = given[0]  # all of it is float32
        else:
            raise ModelError(f"{path} has the operator {node.op_type}, which our networks do not have.", WITHOUT_TORCH)
    made.output(values[graph.output[0].name])
    return fx.GraphModule(root, made).eval()


def _upsampled(scores: Tensor, factors: tuple[float, float]) -> Tensor:
    return functional.interpolate(scores, scale_factor=factors, mode="bilinear", align_corners=False)


def _convolution(weight: Any, bias: Any, how: dict[str, Any]) -> nn.Conv2d:
    groups = how.get("group", 1)
    layer = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        weight.shape[2:],
        stride=tuple(how.get("strides", (1, 1))),
        padding=_padding(how),
        dilation=tuple(how.get("dilations", (1, 1))),
        groups=groups,
        bias=bias is not None,
    )
    layer.weight = nn.Parameter(torch.from_numpy(np.array(weight)), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(torch.from_numpy(np.array(bias)), requires_grad=False)
    return layer


def _max_pool(how: dict[str, Any]) -> nn.MaxPool2d:
    kernel, strides = tuple(how["kernel_shape"]), tuple(how.get("strides", (1, 1)))
    return nn.MaxPool2d(kernel, strides, _padding(how), ceil_mode=bool(how.get("ceil_mode", 0)))


def _padding(how: dict[str, Any]) -> tuple[int, int]:
    top, left, bottom, right = how.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        raise ModelError("A layer is padded unevenly, which those of our networks are not.", WITHOUT_TORCH)
    return top, left
