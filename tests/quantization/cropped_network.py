"""A graph as importers make them: open crops, pools that round up, SiLU, a split, attention, integers."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.export.rewrite import open_size, set_spec

from ..exported_networks import spec_of
from .graphs import SmallGraph

SIZES = [(64, 96), (61, 83), (40, 53)]
"""In the second and the third, a pool at stride 4 has one row or column less than twice that at stride 8."""

CLASSES = 16


def random(*shape: int) -> NDArray[np.float32]:
    values = np.random.default_rng(len(shape) + sum(shape)).standard_normal(shape)
    return np.asarray(values / np.sqrt(np.prod(shape[1:])), np.float32)


def silu(graph: SmallGraph, name: str) -> str:
    graph.node("Sigmoid", name, f"{name}.sigmoid")
    return graph.node("Mul", [name, f"{name}.sigmoid"], f"{name}.silu")


def cropped_network(*, attention: bool = False) -> ModelProto:
    """Scores at stride 8, doubled as a transposed convolution does, and a skip at stride 4 that is cropped to them."""
    graph = SmallGraph()
    graph.constant("mean", np.full((1, 3, 1, 1), 120, np.float32))
    graph.node("Sub", ["planes", "mean"], "centered")
    graph.conv("first", "centered", random(16, 3, 3, 3) / 40, pads=[12, 12, 12, 12])
    silu(graph, "first")
    pool = {"kernel_shape": [4, 4], "strides": [4, 4], "ceil_mode": 1}
    graph.node("MaxPool", "first.silu", "pool4", **pool)
    graph.constant("halves", np.array([8, 8], np.int64))
    graph.nodes.append(helper.make_node("Split", ["pool4", "halves"], ["left", "right"], name="split", axis=1))
    graph.conv("inner", "left", random(16, 8, 3, 3), pads=[1, 1, 1, 1])
    silu(graph, "inner")
    graph.node("Concat", ["inner.silu", "right"], "joined", axis=1)
    graph.node("MaxPool", "joined", "pool8", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    graph.conv("deep", "pool8", random(32, 24, 3, 3))
    graph.node("Relu", "deep", "deep.relu")
    deepest = _attended(graph, "deep.relu") if attention else "deep.relu"
    graph.conv("score8", deepest, random(CLASSES, 32, 1, 1), random(CLASSES))
    graph.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    graph.node("Pad", ["score8", "pads"], "padded")
    graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
    graph.node("Resize", ["padded", "", "twice"], "doubled", mode="linear")
    for name, numbers in {"ones": [1, 1], "minus": [-1, -1], "sides": [2, 3], "offsets": [1, 1]}.items():
        graph.constant(name, np.array(numbers, np.int64))
    graph.node("Slice", ["doubled", "ones", "minus", "sides"], "up")
    graph.conv("score4", "pool4", random(CLASSES, 16, 1, 1))
    graph.node("Shape", "up", "up.sides", start=2, end=4)
    graph.node("Add", ["up.sides", "offsets"], "ends")
    graph.node("Slice", ["score4", "offsets", "ends", "sides"], "skip")
    graph.node("Add", ["up", "skip"], "sum")
    graph.node("Squeeze", ["sum", "axis"], "scores")
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [None, None, 3])
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [CLASSES, None, None])
    made = helper.make_graph(graph.nodes, "foreign", [image], [output], graph.initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    open_size(model, SPEC)
    set_spec(model, SPEC)
    onnx.checker.check_model(model, full_check=True)
    return model


def _attended(graph: SmallGraph, name: str) -> str:
    """Self-attention over all places, whose shapes follow the image's size in integers."""
    graph.node("Shape", name, "places", start=2, end=4)
    graph.constant("heads", np.array([1, 32], np.int64))
    graph.node("Concat", ["heads", "places"], "back", axis=0)
    graph.constant("flat", np.array([1, 32, -1], np.int64))
    graph.node("Reshape", [name, "flat"], "keys")
    graph.node("Transpose", "keys", "queries", perm=[0, 2, 1])
    graph.node("MatMul", ["queries", "keys"], "alike")
    graph.constant("cooled", np.array(0.01, np.float32))
    graph.node("Mul", ["alike", "cooled"], "likeness")
    graph.node("Softmax", "likeness", "shares", axis=-1)
    graph.node("MatMul", ["keys", "shares"], "mixed")
    return graph.node("Reshape", ["mixed", "back"], "attended")


SPEC: ModelSpec = spec_of(
    "somebody's",
    "cropped",
    family="test",
    stride=4,
    classes=[f"class {index}" for index in range(CLASSES)],
    palette=[(index, 0, 0) for index in range(CLASSES)],
    size=SIZES[0],
    # pool4 has ceil((side + 22) / 4) cells, pool8 half of them, rounded up; the convolution takes 2 off: 2 n + 2 - 4
    geometry=Geometry(align="stride", first=(-5.5, -5.5), padding=22, unit=8, extra_cells=-2, size_multiple=1),
)
