from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fcn_edge.errors import ModelError
from fcn_edge.export.rewrite import add_labels_head, store_weights_as_fp16
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.shapes import fix_size

from ..exported_networks import Exported, an_encoder_each, convolutions, macs_of
from .graphs import SmallGraph


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


@an_encoder_each
def test_convolutions_are_those_of_the_network(exported: Exported) -> None:
    view = GraphView(onnx.load_model(exported.path))
    layers = convolutions(exported.net, exported.spec.decoder)
    assert {conv.name for conv in view.convs} == set(layers)
    for conv in view.convs:
        layer = layers[conv.name]
        assert conv.weight.shape == tuple(layer.weight.shape)
        assert conv.channels == (layer.in_channels, layer.out_channels)
        assert conv.depthwise == (layer.groups == layer.in_channels > 1)
        assert conv.groups == layer.groups
        assert conv.bias is not None


@an_encoder_each
def test_macs_are_those_that_torch_counts(exported: Exported) -> None:
    for size in ((64, 96), (96, 160)):
        assert GraphView(onnx.load_model(exported.path)).macs(size) == macs_of(exported, size)


@an_encoder_each
def test_sums_of_residual_blocks_and_their_shortcuts(exported: Exported) -> None:
    view = GraphView(onnx.load_model(exported.path))
    blocks = {"vgg16": 0, "resnet50": 16, "mobilenet_v2": 10}[exported.spec.encoder]
    assert len(view.residuals) == blocks
    for residual in view.residuals:
        (branch,) = set(residual.inputs) - {residual.shortcut}
        if exported.spec.encoder == "mobilenet_v2":
            # the branch ends in the block's last convolution; what it is added to, the block's first one read
            block = branch.removesuffix(".conv.2")
            first = next(conv for conv in view.convs if conv.name.startswith(f"{block}."))
            assert residual.shortcut == first.input
            assert residual.output == residual.node.output[0]
        else:
            block = branch.removesuffix(".conv3")
            first = next(conv for conv in view.convs if conv.name == f"{block}.conv1")
            assert residual.shortcut == (f"{block}.downsample.0" if block.endswith(".0") else first.input)
            assert view.producers[residual.output].op_type == "Relu"


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("narrowing", [False, True])
def test_shortcut_is_found_on_either_side(swapped: bool, narrowing: bool) -> None:
    graph = SmallGraph()
    graph.conv("before", "planes", ones(2, 3, 8, 8), strides=[8, 8])
    graph.conv("first", "before", ones(2, 2, 1, 1))
    graph.conv("last", "first", ones(2, 2, 1, 1))
    shortcut = graph.conv("side", "before", ones(2, 2, 1, 1)) if narrowing else "before"
    inputs = [shortcut, "last"]
    graph.node("Add", inputs[::-1] if swapped else inputs, "sum")
    (residual,) = GraphView(graph.model("sum")).residuals
    assert residual.shortcut == shortcut
    assert residual.output == "sum"


def test_sums_after_a_resize_or_with_a_constant_are_no_residual_ones() -> None:
    graph = SmallGraph()
    graph.conv("conv", "planes", ones(2, 3, 8, 8), strides=[8, 8])
    graph.constant("scale", np.array([1, 1, 1, 1], np.float32))
    graph.node("Resize", ["conv", "", "scale"], "resized", mode="linear")
    graph.node("Add", ["conv", "resized"], "sum")
    assert GraphView(graph.model("sum")).residuals == ()


def test_activation_belongs_to_a_convolution_that_it_alone_reads() -> None:
    graph = SmallGraph()
    graph.conv("a", "planes", ones(2, 3, 8, 8), strides=[8, 8])
    graph.node("Relu", "a", "a.relu")
    graph.conv("b", "a.relu", ones(2, 2, 1, 1))
    graph.node("Relu", "b", "b.relu")
    graph.node("Add", ["b", "b.relu"], "sum")
    a, b = GraphView(graph.model("sum")).convs
    assert (a.output, b.output) == ("a.relu", "b")


def test_activations_are_the_float_tensors_behind_the_image(small: Exported) -> None:
    model = onnx.load_model(small.path)
    scores = GraphView(model).activations()
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    assert scores[0] == convs[0].input[0]
    assert len(set(scores)) == len(scores)
    assert {node.output[0] for node in convs} <= set(scores)
    assert {node.op_type for node in model.graph.node if node.output[0] in scores[1:]} == {
        "Add",
        "Clip",
        "Conv",
        "Resize",
    }
    store_weights_as_fp16(model)
    assert GraphView(model).activations() == scores
    add_labels_head(model, small.spec)
    assert GraphView(model).activations() == (*scores, "labels.resize")


def test_weights_behind_a_cast_are_read(small: Exported) -> None:
    model = onnx.load_model(small.path)
    plain = GraphView(model).convs
    store_weights_as_fp16(model)
    for one, other in zip(plain, GraphView(model).convs, strict=True):
        assert other.weight.dtype == np.float32
        assert np.allclose(one.weight, other.weight, atol=1e-7, rtol=1e-3)


def test_graph_without_convolutions_is_refused() -> None:
    graph = SmallGraph()
    graph.node("MaxPool", "planes", "pooled", kernel_shape=[8, 8], strides=[8, 8])
    graph.constant("two", np.array([1, 0], np.int64))
    graph.node("Gather", ["pooled", "two"], "scores2", axis=1)
    with pytest.raises(ModelError, match="no convolution"):
        GraphView(graph.model("scores2"))


def test_weights_that_are_computed_are_refused() -> None:
    graph = SmallGraph()
    graph.constant("half", ones(2, 3, 8, 8))
    graph.node("Add", ["half", "half"], "computed")
    graph.node("Conv", ["planes", "computed"], "layer", kernel_shape=[8, 8], strides=[8, 8])
    with pytest.raises(ModelError, match="weights of layer are not in the model's file"):
        GraphView(graph.model("layer"))


@an_encoder_each
def test_heads_are_the_score_layers(exported: Exported) -> None:
    view = GraphView(onnx.load(exported.path))
    assert view.heads == {conv.name for conv in view.convs if ".score" in conv.name}


def open_graph(*output: str, height: str = "8*h", width: str = "8*w") -> onnx.ModelProto:
    values = [
        helper.make_tensor_value_info("image", TensorProto.UINT8, [height, width, 3]),
        helper.make_tensor_value_info("scores", TensorProto.UINT8, [3, *output]),
    ]
    return helper.make_model(helper.make_graph([], "open", values[:1], values[1:]))


def shape_of(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_sizes_follow_from_the_factors_of_the_graph() -> None:
    model = open_graph("h", "2*w")
    fix_size(model, (104, 136))
    assert shape_of(model.graph.input[0]) == [104, 136, 3]
    assert shape_of(model.graph.output[0]) == [3, 13, 34]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (open_graph("h", "w", width="32*w"), "multiples of 32, and 136 is none"),
        (open_graph("rows", "w"), "open size 'rows', which its input does not fix"),
        (open_graph("h", "w", height="h*h"), "open size 'h\\*h'"),
    ],
)
def test_sizes_that_cannot_be_fixed_are_refused(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fix_size(model, (104, 136))


def unchecked(graph: SmallGraph) -> onnx.ModelProto:
    """The model of a graph as it is: ``onnx.checker`` lets some of these pass, and which depends on its version."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["32*h", "32*w", 3])
    output = helper.make_tensor_value_info("conv", TensorProto.FLOAT, None)
    return helper.make_model(
        helper.make_graph(graph.nodes, "small", [image], [output], graph.initializers),
        opset_imports=[helper.make_opsetid("", 20)],
    )


@pytest.mark.parametrize(
    ("weight", "bias", "group", "message"),
    [
        ((4, 3, 1), None, 1, r"conv has weights of shape \(4, 3, 1\)"),
        ((4, 3), None, 1, r"conv has weights of shape \(4, 3\)"),
        ((0, 3, 1, 1), None, 1, r"conv has weights of shape \(0, 3, 1, 1\)"),
        ((4, 3, 1, 1), (3,), 1, r"conv has a bias of shape \(3,\) for 4 channels"),
        ((4, 3, 1, 1), (4, 1), 1, r"conv has a bias of shape \(4, 1\)"),
        ((4, 3, 1, 1), None, 0, "conv has 0 groups for 4 channels"),
        ((4, 1, 1, 1), None, 3, "conv has 3 groups for 4 channels"),
    ],
)
def test_convolutions_of_other_shapes_are_refused(
    weight: tuple[int, ...], bias: tuple[int, ...] | None, group: int, message: str
) -> None:
    graph = SmallGraph()
    names = ["planes", graph.constant("weight", ones(*weight))]
    if bias is not None:
        names.append(graph.constant("bias", ones(*bias)))
    graph.node("Conv", names, "conv", group=group)
    with pytest.raises(ModelError, match=message):
        GraphView(unchecked(graph))


def test_a_bias_that_is_computed_is_refused() -> None:
    graph = SmallGraph()
    graph.node("ReduceMean", "planes", "mean")
    graph.node("Conv", ["planes", graph.constant("weight", ones(4, 3, 1, 1)), "mean"], "conv")
    with pytest.raises(ModelError, match="conv has a bias that is no constant"):
        GraphView(unchecked(graph))


def test_a_convolution_of_a_constant_is_refused() -> None:
    graph = SmallGraph()
    graph.node("Conv", [graph.constant("mean", ones(1, 3, 2, 2)), graph.constant("weight", ones(4, 3, 1, 1))], "conv")
    with pytest.raises(ModelError, match="conv has a constant in the place of an image"):
        GraphView(unchecked(graph))


def test_a_convolution_without_weights_is_refused() -> None:
    graph = SmallGraph()
    graph.node("Conv", "planes", "conv")
    with pytest.raises(ModelError, match="The weights of conv are not in the model's file"):
        GraphView(unchecked(graph))


def test_sizes_below_zero_are_refused() -> None:
    graph = SmallGraph()
    graph.conv("conv", "planes", ones(4, 3, 1, 1), pads=[-200, -200, -200, -200])
    with pytest.raises(ModelError, match="sizes that do not fit together"):
        GraphView(unchecked(graph)).macs((32, 64))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_weights_that_are_no_numbers_are_refused(value: float, part: str) -> None:
    weight, bias = ones(4, 3, 1, 1), ones(4)
    (weight if part == "weight" else bias)[0] = value
    graph = SmallGraph()
    graph.conv("conv", "planes", weight, bias)
    with pytest.raises(ModelError, match="conv has weights that are NaN or infinite"):
        GraphView(unchecked(graph))


def test_convolutions_of_one_name_are_refused() -> None:
    graph = SmallGraph()
    graph.conv("conv", graph.conv("other", "planes", ones(3, 3, 1, 1)), ones(4, 3, 1, 1))
    graph.nodes[-1].name = "other"
    with pytest.raises(ModelError, match="2 convolutions of the model have the name 'other'"):
        GraphView(unchecked(graph))


def test_sizes_that_do_not_fit_together_are_one_sentence() -> None:
    graph = SmallGraph()
    graph.conv("conv", "planes", ones(4, 5, 1, 1))
    with pytest.raises(ModelError, match="sizes that do not fit together"):
        GraphView(unchecked(graph)).macs((32, 64))
