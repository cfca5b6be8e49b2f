"""The model as users of other libraries export it: float planes in, full-size logits or labels out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size

__all__ = ["write_usual_graphs"]

PREPROCESSING = ("Cast", "Transpose", "Unsqueeze", "Sub", "Div")
"""Operators by which our graphs bring a (H, W, 3) uint8 image to normalized planes."""

PLANES, LOGITS, LABELS = "planes", "logits", "labels"


def write_usual_graphs(
    model: Path, size: Size, stride: int, classes: int, logits: Path, labels: Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Write the network without its preprocessing, with its scores upsampled to the input's size inside the graph.

    Weights are those of the model, as float32 initializers. Input and output sizes are fixed, which every library takes
    and none is slower with.

    Args:
        model: An ONNX file of ours that ends in scores.
        size: ``(height, width)`` of the input.
        stride: Input pixels per score cell.
        classes: How many there are.
        logits: Where the graph goes that gives (1, classes, H, W) float logits.
        labels: Where the graph goes that gives the (1, H, W) uint8 argmax of them.

    Returns:
        Mean and scale by which frames are normalized before: per channel, BGR, on the 0 to 255 scale.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto: Any = onnx.load(model)
    graph = proto.graph
    weights = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes = _with_weights_cast(graph.node, weights)
    planes, mean, scale, nodes = _without_preprocessing(nodes, graph.input[0].name, weights)
    scores = graph.output[0].name
    if len(graph.output[0].type.tensor_type.shape.dim) == 3:  # without a batch axis, which other libraries expect
        (last,) = (node for node in nodes if node.output[0] == scores)
        nodes.remove(last)
        scores = last.input[0]
    weights["upsampling"] = np.array([1, 1, stride, stride], np.float32)
    nodes.append(
        helper.make_node(
            "Resize",
            [scores, "", "upsampling"],
            [LOGITS],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
    )
    argmax = [
        helper.make_node("ArgMax", [LOGITS], ["indices"], axis=1, keepdims=0),
        helper.make_node("Cast", ["indices"], [LABELS], to=TensorProto.UINT8),
    ]
    given = helper.make_tensor_value_info(planes, TensorProto.FLOAT, [1, 3, *size])
    for path, tail, output in (
        (logits, [], helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [1, classes, *size])),
        (labels, argmax, helper.make_tensor_value_info(LABELS, TensorProto.UINT8, [1, *size])),
    ):
        used = {name for node in [*nodes, *tail] for name in node.input}
        kept = [numpy_helper.from_array(value, name) for name, value in weights.items() if name in used]
        made = helper.make_graph([*nodes, *tail], "usual", [given], [output], kept)
        whole = helper.make_model(made, opset_imports=proto.opset_import, ir_version=proto.ir_version)
        onnx.checker.check_model(whole, full_check=True)
        onnx.save(whole, path)
    return mean, scale


def _with_weights_cast(nodes: Any, weights: dict[str, NDArray[Any]]) -> list[Any]:
    """The nodes without those that cast weights, which are kept as float32 instead: some importers want constants."""
    kept = []
    for node in nodes:
        if node.op_type == "Cast" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]].astype(np.float32)
        else:
            kept.append(node)
    return kept


def _without_preprocessing(
    nodes: list[Any], image: str, weights: dict[str, NDArray[Any]]
) -> tuple[str, tuple[float, ...], tuple[float, ...], list[Any]]:
    """Name of the normalized planes, mean, scale, and the nodes that follow."""
    mean, scale = np.zeros(3), np.ones(3)
    name, left = image, list(nodes)
    while True:
        takers = [node for node in left if name in node.input]
        if len(takers) != 1 or takers[0].op_type not in PREPROCESSING:
            return name, tuple(map(float, mean)), tuple(map(float, scale)), left
        node = takers[0]
        if node.op_type == "Sub":
            mean = mean + weights[node.input[1]].ravel()
        elif node.op_type == "Div":
            scale = scale * weights[node.input[1]].ravel()
        left.remove(node)
        name = node.output[0]
