from __future__ import annotations

import collections
from collections.abc import Callable, Mapping

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto

from fcn_edge.artifacts.calibration_table import CalibrationTable, TensorRange
from fcn_edge.export.rewrite import store_weights_as_fp16
from fcn_edge.quantization.biases import corrected_bias
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.profiles import PROFILES, Profile
from fcn_edge.quantization.qdq import LEAST_SCALE, quantize
from fcn_edge.quantization.thresholds import Range
from fcn_edge.quantization.typed_graph import Typed, clipped_ranges, int8_model

from ..exported_networks import CLASSES, Exported, an_encoder_each, convolutions
from .graphs import SmallGraph, Wires, attribute, run, span

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)


Int8 = Callable[[str], Typed]


def expected_layers(exported: Exported, *, depthwise: bool) -> set[str]:
    """All convolutions but the score layers, whose few classes are too narrow."""
    assert CLASSES < 16
    layers = convolutions(exported.net, exported.spec.decoder).items()
    return {name for name, layer in layers if ".score" not in name and (depthwise or layer.groups == 1)}


@an_encoder_each
@pytest.mark.parametrize("name", PROFILES)
def test_weights_are_int8_with_a_scale_a_channel(exported: Exported, view: GraphView, int8: Int8, name: str) -> None:
    profile, wires = PROFILES[name], Wires(int8(name).model)
    floats = {conv.name: conv.weight for conv in view.convs}
    done = set()
    for conv in wires.of_type("Conv"):
        if not wires.dequantized(conv.input[1]):
            continue
        done.add(conv.name)
        weights = wires.producers[conv.input[1]]
        values, scale, zero = (wires.constants[part] for part in weights.input)
        weight = floats[conv.name]
        assert attribute(weights, "axis") == 0
        assert values.dtype == zero.dtype == np.int8
        assert scale.shape == zero.shape == weight.shape[:1]
        assert scale.dtype == (np.float16 if name == "tensorrt" else np.float32)
        assert not zero.any()
        steps = scale.astype(np.float32)[:, None, None, None]
        assert (np.abs(values * steps - weight) <= 0.51 * steps).all()
        most = np.abs(values).max(axis=(1, 2, 3))
        assert most.max() == profile.weight_limit
        assert most.min() >= profile.weight_limit - 1
    assert done == expected_layers(exported, depthwise=name != "tensorrt")


@an_encoder_each
@pytest.mark.parametrize("name", PROFILES)
def test_graph_is_valid_and_its_names_differ(int8: Int8, name: str) -> None:
    model = int8(name).model
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version >= 19
    nodes = [node.name for node in model.graph.node]
    tensors = [output for node in model.graph.node for output in node.output]
    constants = [each.name for each in model.graph.initializer]
    for names in (nodes, [*tensors, *constants, "image"]):
        assert [each for each, count in collections.Counter(names).items() if count > 1 or not each] == []
    read = {each for node in model.graph.node for each in node.input}
    assert set(constants) <= read
    assert {*tensors} - read == {"scores"}


@an_encoder_each
def test_tensorrt_has_symmetric_pairs_next_to_convolutions_and_on_shortcuts(
    exported: Exported, view: GraphView, int8: Int8
) -> None:
    wires = Wires(int8("tensorrt").model)
    layers = expected_layers(exported, depthwise=False)
    shortcuts = {residual.node.name: residual.shortcut for residual in view.residuals}
    taken = {conv.name: conv.input for conv in view.convs}
    paired = {taken[layer] for layer in layers} | set(shortcuts.values())
    assert {node.input[0] for node in wires.of_type("QuantizeLinear")} == paired
    for quantizer in wires.of_type("QuantizeLinear"):
        scale, zero = (wires.constants[part] for part in quantizer.input[1:])
        assert (scale.dtype, scale.shape, zero.dtype, zero.shape, int(zero)) == (np.float16, (), np.int8, (), 0)
        (dequantizer,) = wires.readers(quantizer.output[0])
        assert dequantizer.op_type == "DequantizeLinear"
        assert list(dequantizer.input[1:]) == list(quantizer.input[1:])
    for node in wires.graph.node:
        dequantized = [wires.dequantized(name) for name in node.input]
        if node.op_type == "Conv":
            assert dequantized == ([True, True, False] if node.name in layers else [False] * 3)
            assert {wires.constants[name].dtype for name in node.input[2:]} == {np.dtype(np.float16)}
        elif node.name in shortcuts:
            wanted = [f"{name}.dq" if name == shortcuts[node.name] else name for name in _inputs(view, node.name)]
            assert list(node.input) == wanted
        else:
            assert not any(dequantized)


@an_encoder_each
@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_processors_get_both_sides_of_each_sum(view: GraphView, table: CalibrationTable, int8: Int8, name: str) -> None:
    wires = Wires(int8(name).model)
    for residual in view.residuals:
        node = wires.named(residual.node.name)
        assert list(node.input) == [f"{tensor}.dq" for tensor in residual.inputs]
    for quantizer in wires.of_type("QuantizeLinear"):
        tensor = str(quantizer.input[0])
        scale, zero = (wires.constants[part] for part in quantizer.input[1:])
        assert (scale.dtype, scale.shape, zero.dtype, zero.shape) == (np.float32, (), np.uint8, ())
        low, high = table.tensors[tensor].mse
        assert float(scale) == pytest.approx((high - low) / 255)
        assert (0 - int(zero)) * float(scale) == pytest.approx(low, abs=0.51 * float(scale))


@an_encoder_each
def test_openvino_keeps_float_biases_and_outputs(exported: Exported, view: GraphView, int8: Int8) -> None:
    wires = Wires(int8("openvino").model)
    layers = expected_layers(exported, depthwise=True)
    inputs = {conv.input for conv in view.convs if conv.name in layers}
    sums = {name for residual in view.residuals for name in residual.inputs}
    assert {node.input[0] for node in wires.of_type("QuantizeLinear")} == inputs | sums
    for conv in wires.of_type("Conv"):
        assert wires.constants[conv.input[2]].dtype == np.float32


@an_encoder_each
def test_onnxruntime_has_quantized_outputs_and_int32_biases(
    exported: Exported, view: GraphView, table: CalibrationTable, int8: Int8
) -> None:
    wires = Wires(int8("onnxruntime").model)
    means = {name: each.channel_means for name, each in table.tensors.items()}
    layers = expected_layers(exported, depthwise=True)
    for conv in view.convs:
        node = wires.named(conv.name)
        if conv.name not in layers:
            assert not wires.dequantized(node.input[1])
            continue
        (quantizer,) = [each for each in wires.readers(conv.output) if each.op_type == "QuantizeLinear"]
        assert wires.readers(conv.output) == [quantizer]
        values, scale, zero = (wires.constants[part] for part in wires.producers[node.input[2]].input)
        inputs, weights = (wires.constants[wires.producers[name].input[1]] for name in node.input[:2])
        assert values.dtype == zero.dtype == np.int32
        assert not zero.any()
        assert np.allclose(scale, inputs * weights, rtol=1e-6)
        rounded = wires.constants[f"{conv.name}.weight.q"] * weights[:, None, None, None]
        bias = corrected_bias(conv, rounded, means)
        assert bias is not None
        assert (np.abs(values * scale.astype(np.float64) - bias) <= 0.51 * scale).all()
    for residual in view.residuals:
        # after the activation: rounding before it too would halve the levels that are left
        assert [node.op_type for node in wires.readers(residual.output)] == ["QuantizeLinear"]


def _inputs(view: GraphView, name: str) -> list[str]:
    return next(list(residual.inputs) for residual in view.residuals if residual.node.name == name)


def test_layers_stay_in_floating_point_when_asked(small: Exported, small_table: CalibrationTable) -> None:
    floats = ["encoder.features.0.0", "encoder.features.18.0"]
    model = int8_model(small.model, PROFILES["onnxruntime"], small_table, method="mse", excluded_layers=floats)
    assert set(model.quantized) == expected_layers(small, depthwise=True) - set(floats)
    wires = Wires(model.model)
    for name in floats:
        assert wires.named(name).input[1] == f"{name}.weight"
        assert wires.constants[f"{name}.weight"].dtype == np.float32


def test_weights_stored_as_fp16_are_quantized_too(small: Exported, small_table: CalibrationTable) -> None:
    model = onnx.load_model(small.path)
    store_weights_as_fp16(model)
    quantize(model, PROFILES["openvino"], clipped_ranges(small_table, "minmax"))
    onnx.checker.check_model(model, full_check=True)
    casts = [node.output[0] for node in model.graph.node if node.op_type == "Cast"]
    assert len(casts) == 1  # that of the image


def ranges_of(spans: Mapping[str, TensorRange]) -> dict[str, Range]:
    return {name: Range(each.low, each.high, each.entropy) for name, each in spans.items()}


def two_layers(first: NDArray[np.float64], bias: NDArray[np.float64]) -> ModelProto:
    graph = SmallGraph()
    graph.conv("first", "planes", first, bias, strides=[8, 8])
    graph.node("Relu", "first", "relu")
    graph.conv("last", "relu", np.eye(2, 16)[..., None, None], np.zeros(2))
    return graph.model("last")


@pytest.mark.parametrize("name", PROFILES)
def test_channels_of_zeros_keep_their_bias(name: str) -> None:
    """With the smallest scales a bias would not fit into 32 bits."""
    weight = np.zeros((16, 3, 8, 8))
    weight[1:] = np.random.default_rng(0).normal(0, 1e-3, (15, 3, 8, 8))
    bias = np.linspace(40, 50, 16)
    model = two_layers(weight, bias)
    exact = run(model, IMAGE)
    spans = {"planes": span(255.0), "relu": span(float(exact.max())), "first": span(60.0), "last": span(60.0)}
    assert quantize(model, PROFILES[name], ranges_of(spans)) == ("first",)
    assert np.abs(run(model, IMAGE) - exact).max() < 0.02 * exact.max()


@pytest.mark.parametrize("name", PROFILES)
def test_input_that_was_always_zero_leaves_the_bias(name: str) -> None:
    profile: Profile = PROFILES[name]
    random = np.random.default_rng(0)
    graph = SmallGraph()
    graph.constant("nothing", np.zeros((16, 3, 8, 8), np.float32))
    graph.node("Conv", ["planes", "nothing"], "dead", strides=[8, 8], kernel_shape=[8, 8])
    graph.conv("layer", "dead", random.normal(0, 1e-4, (16, 16, 1, 1)), np.linspace(1, 2, 16))
    graph.conv("last", "layer", np.eye(2, 16)[..., None, None])
    model = graph.model("last")
    exact = run(model, IMAGE)
    spans = {"planes": span(255.0), "dead": span(0.0), "layer": span(2.0), "last": span(2.0)}
    assert "layer" in quantize(model, profile, ranges_of(spans))
    onnx.checker.check_model(model, full_check=True)
    assert (Wires(model).constants["dead.scale"] >= LEAST_SCALE * 0.99).all()
    assert np.abs(run(model, IMAGE) - exact).max() < 0.02 * exact.max()


def test_sum_that_stays_in_floating_point_gets_no_pairs() -> None:
    """Where it is an island of float32, what comes out of a pair in FP16 could be infinite."""
    graph = SmallGraph()
    graph.conv("first", "planes", np.ones((16, 3, 8, 8)), strides=[8, 8])
    graph.conv("second", "first", np.ones((16, 16, 1, 1)))
    graph.node("Add", ["first", "second"], "sum")
    graph.conv("last", "sum", np.ones((2, 16, 1, 1)))
    made = graph.model("last")
    spans = dict.fromkeys(("planes", "first", "second", "sum", "last"), span(1.0))
    for name in ("tensorrt", "openvino"):
        for floats, inputs in (([], ["first.dq", "second.dq"]), (["sum"], ["first", "second"])):
            model = ModelProto()
            model.CopyFrom(made)
            quantize(model, PROFILES[name], ranges_of(spans), excluded_layers=floats)
            wanted = inputs if name == "openvino" else [inputs[0], "second"]
            assert list(Wires(model).named("sum").input) == wanted


def test_sum_of_floats_gets_no_pairs(small: Exported, small_table: CalibrationTable) -> None:
    floats = [name for name in expected_layers(small, depthwise=True) if name.startswith("encoder.features.3.")]
    floats.append("encoder.features.2.conv.2")
    wires = Wires(
        int8_model(small.model, PROFILES["openvino"], small_table, method="mse", excluded_layers=floats).model
    )
    residual = GraphView(onnx.load_model(small.path)).residuals[0]
    assert list(wires.named(residual.node.name).input) == list(residual.inputs)


@pytest.mark.parametrize(
    ("name", "quantized"), [("openvino", ("body", "head")), ("onnxruntime", ("body",)), ("tensorrt", ("body", "head"))]
)
def test_scores_of_many_classes_are_not_rounded(name: str, quantized: tuple[str, ...]) -> None:
    """A head of 21 classes may read INT8, and what it gives stays in floating point."""
    chance = np.random.default_rng(0)
    graph = SmallGraph()
    graph.conv("body", "planes", chance.normal(size=(32, 3, 8, 8)), strides=[8, 8])
    graph.conv("head", "body", chance.normal(size=(21, 32, 1, 1)), np.ones(21))
    graph.conv("few", "head", np.ones((2, 21, 1, 1)))
    model = graph.model("few")
    del model.graph.node[-2]  # the head ends the graph
    model.graph.node[-1].input[0] = "head"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 21
    ranges = {tensor: Range(-9.0, 9.0, 9.0) for tensor in ("planes", "body", "head")}
    assert quantize(model, PROFILES[name], ranges) == quantized
    wires = Wires(model)
    assert "head" not in {node.input[0] for node in wires.of_type("QuantizeLinear")}
    assert wires.producers["scores"].input[0] == "head"
