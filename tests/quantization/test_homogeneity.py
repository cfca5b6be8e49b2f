from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.homogeneity import scalable_tensors

from ..exported_networks import Exported, an_encoder_each
from .cropped_network import cropped_network
from .graphs import SmallGraph

RANDOM = np.random.default_rng(0)
AFTER = {"first", "second", "sum"}
"""What the convolutions that read the image give in ``around``, and their sum."""


def around(between: Callable[[SmallGraph], object]) -> frozenset[str]:
    """What may be scaled where something makes ``between`` of the sum of ``first`` and ``second``."""
    graph = SmallGraph()
    for name in ("first", "second"):
        graph.conv(name, "planes", RANDOM.normal(0, 1, (4, 3, 8, 8)), strides=[8, 8])
    graph.node("Add", ["first", "second"], "sum")
    between(graph)
    graph.conv("last", "between", RANDOM.normal(0, 1, (2, 4, 1, 1)))
    return scalable_tensors(GraphView(graph.model("last")))


def number(graph: SmallGraph, value: float) -> str:
    return graph.constant("number", np.array(value, np.float32))


def padded(graph: SmallGraph, value: float | None, **how: str) -> None:
    pads = graph.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    graph.node("Pad", ["sum", pads, *([] if value is None else [number(graph, value)])], "padded", **how)
    graph.node("AveragePool", "padded", "between", kernel_shape=[3, 3], strides=[1, 1])


def resized(graph: SmallGraph, how: str) -> None:
    roi = graph.constant("roi", np.array([0, 0, 0, 0, 1, 1, 1, 1], np.float32))
    scales = graph.constant("scales", np.ones(4, np.float32))
    graph.node("Resize", ["sum", roi, scales], "between", mode="linear", coordinate_transformation_mode=how)


def deconvolved(graph: SmallGraph) -> None:
    weight = graph.constant("up.weight", np.ones((4, 4, 1, 1), np.float32))
    graph.node("ConvTranspose", ["sum", weight, graph.constant("up.bias", np.ones(4, np.float32))], "between")


def sized(graph: SmallGraph) -> None:
    """A shape says nothing of values: it has no factor, and what is computed from it has none."""
    graph.node("Shape", "sum", "shape")
    graph.node("Reshape", ["sum", "shape"], "between")


def split(graph: SmallGraph) -> None:
    halves = graph.constant("halves", np.array([2, 2], np.int64))
    graph.nodes.append(helper.make_node("Split", ["sum", halves], ["left", "right"], name="split", axis=1))
    graph.node("Concat", ["right", "left"], "between", axis=1)


def pooled_twice(graph: SmallGraph) -> None:
    graph.node("GlobalAveragePool", "sum", "mean")
    graph.node("Expand", ["mean", graph.constant("sides", np.array([1, 4, 4, 8], np.int64))], "wide")
    graph.node("Sum", ["sum", "wide"], "between")


LEAVE = {
    "relu": lambda graph: graph.node("Relu", "sum", "between"),
    "leaky": lambda graph: graph.node("LeakyRelu", "sum", "between", alpha=0.1),
    "prelu": lambda graph: graph.node(
        "PRelu", ["sum", graph.constant("s", np.full((4, 1, 1), 0.2, np.float32))], "between"
    ),
    "max": lambda graph: graph.node("Max", ["sum", "first"], "between"),
    "difference": lambda graph: graph.node("Sub", ["sum", "first"], "between"),
    "pool": lambda graph: graph.node("MaxPool", "sum", "between", kernel_shape=[2, 2], pads=[0, 0, 1, 1]),
    "times a number": lambda graph: graph.node("Mul", [number(graph, 0.01), "sum"], "between"),
    "divided by a number": lambda graph: graph.node("Div", ["sum", number(graph, 3)], "between"),
    "zeros around": lambda graph: padded(graph, None),
    "zeros around, said": lambda graph: padded(graph, 0.0),
    "mirrored around": lambda graph: padded(graph, 5.0, mode="reflect"),
    "resize": lambda graph: resized(graph, "half_pixel"),
    "transposed convolution": deconvolved,
    "shape": sized,
    "split": split,
    "global pool": pooled_twice,
}

CHANGE = {
    "sigmoid": lambda graph: graph.node("Sigmoid", "sum", "between"),
    "relu6": lambda graph: graph.node("Clip", ["sum", "", number(graph, 6)], "between"),
    "plus a number": lambda graph: graph.node("Add", ["sum", number(graph, 1)], "between"),
    "product": lambda graph: graph.node("Mul", ["sum", "first"], "between"),
    "number divided": lambda graph: graph.node("Div", [number(graph, 1), "sum"], "between"),
    "ones around": lambda graph: padded(graph, 1.0),
    "number outside": lambda graph: resized(graph, "tf_crop_and_resize"),
    "as bits": lambda graph: graph.node(
        "Cast", graph.node("Cast", "sum", "whole", to=TensorProto.INT32), "between", to=1
    ),
    "slopes of its own": lambda graph: graph.node("PRelu", ["first", "second"], "between"),
    "normalized": lambda graph: graph.node(
        "InstanceNormalization",
        ["sum", graph.constant("g", np.ones(4, np.float32)), graph.constant("b", np.ones(4, np.float32))],
        "between",
    ),
}


@pytest.mark.parametrize("name", LEAVE)
def test_homogeneous_operators_carry_the_factor(name: str) -> None:
    found = around(LEAVE[name])
    assert found >= AFTER | {"between"}
    assert not found & {"planes", "last", "scores", "shape"}


@pytest.mark.parametrize("name", CHANGE)
def test_one_operator_that_is_not_homogeneous_ends_it_for_all(name: str) -> None:
    assert around(CHANGE[name]) == frozenset()


def test_a_subgraph_ends_it() -> None:
    """It reads tensors from outside that are no inputs of its node."""

    def branched(graph: SmallGraph) -> None:
        value = helper.make_tensor_value_info("inside", TensorProto.FLOAT, None)
        inside = helper.make_graph([helper.make_node("Identity", ["sum"], ["inside"])], "inside", [], [value])
        graph.node("If", graph.constant("yes", np.array(True)), "between", then_branch=inside, else_branch=inside)

    assert around(branched) == frozenset()


def test_what_reads_the_image_beside_them_has_no_factor() -> None:
    """Features and the image as it is, side by side."""

    def joined(graph: SmallGraph) -> None:
        graph.node("AveragePool", "planes", "small", kernel_shape=[8, 8], strides=[8, 8])
        graph.node("Concat", ["sum", "small"], "both", axis=1)
        graph.conv("mixed", "both", RANDOM.normal(0, 1, (4, 7, 1, 1)))
        graph.node("Relu", "mixed", "between")

    assert around(joined) == frozenset()


def test_features_that_reach_the_scores_beside_the_last_convolution_end_it() -> None:
    graph = SmallGraph()
    graph.conv("first", "planes", RANDOM.normal(0, 1, (2, 3, 8, 8)), strides=[8, 8])
    graph.node("Relu", "first", "relu")
    graph.conv("last", "relu", RANDOM.normal(0, 1, (2, 2, 1, 1)))
    graph.node("Add", ["last", "relu"], "sum")
    assert scalable_tensors(GraphView(graph.model("sum"))) == frozenset()


def test_features_that_are_given_themselves_end_it() -> None:
    graph = SmallGraph()
    graph.conv("first", "planes", RANDOM.normal(0, 1, (2, 3, 8, 8)), strides=[8, 8])
    graph.conv("last", "first", RANDOM.normal(0, 1, (2, 2, 1, 1)))
    model = graph.model("last")
    assert scalable_tensors(GraphView(model)) == {"first"}
    model.graph.output.append(helper.make_tensor_value_info("first", TensorProto.FLOAT, None))
    assert scalable_tensors(GraphView(model)) == frozenset()


def test_scores_straight_from_the_image_leave_nothing_between() -> None:
    graph = SmallGraph()
    graph.conv("last", "planes", RANDOM.normal(0, 1, (2, 3, 8, 8)), strides=[8, 8])
    assert scalable_tensors(GraphView(graph.model("last"))) == frozenset()


@an_encoder_each
def test_own_networks_scale_all_that_their_encoders_compute(exported: Exported) -> None:
    """But for MobileNetV2, whose ReLU6 ends at a number."""
    view = GraphView(onnx.load_model(exported.path))
    image = next(conv.input for conv in view.convs)
    features = set(view.activations()) - {image}
    scores = {name for name in view.heads if name.startswith("decoder.")}
    assert scores == view.heads
    first_score = min(list(view.activations()).index(name) for name in scores)
    encoded = set(view.activations()[:first_score]) & features
    assert scalable_tensors(view) == (frozenset() if exported.spec.encoder == "mobilenet_v2" else encoded)


def test_the_authors_vgg16_scales_up_to_its_three_scores(exporting: None, images_of_size, tmp_path: Path) -> None:
    """Crops, ceiling pools, fc6 and fc7, and skips that are scaled by numbers of their own."""
    import torch

    from fcn_edge.export.importers.base import ImportOptions
    from fcn_edge.export.importers.registry import trained_network
    from fcn_edge.export.onnx import onnx_from_network

    from ..export.importers.published_vgg_fcn import random_published

    torch.save(random_published("fcn8s-atonce", images_of_size((96, 160))).state_dict(), tmp_path / "net.pth")
    network = trained_network(tmp_path / "net.pth", ImportOptions(arch="fcn8s-atonce", size=(96, 160)))
    view = GraphView(onnx_from_network(network))
    found = scalable_tensors(view)
    assert view.heads == {"score_fr", "score_pool4", "score_pool3"}
    assert {conv.node.output[0] for conv in view.convs} - found == view.heads
    assert {conv.input for conv in view.convs} - found == {view.convs[0].input}


def test_silu_and_attention_end_it() -> None:
    assert scalable_tensors(GraphView(cropped_network())) == frozenset()
    assert scalable_tensors(GraphView(cropped_network(attention=True))) == frozenset()
