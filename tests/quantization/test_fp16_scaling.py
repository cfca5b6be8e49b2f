from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto

from fcn_edge.artifacts.calibration_table import TensorRange
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_header import spec_of_onnx
from fcn_edge.export.rewrite import store_weights_as_fp16
from fcn_edge.quantization.calibrate import ranges_of_images
from fcn_edge.quantization.fp16 import LARGEST, LIMIT, float_islands, halve
from fcn_edge.quantization.fp16_scaling import MOST, divide_activations
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.qdq import quantize
from fcn_edge.quantization.thresholds import Range
from fcn_edge.quantization.typed_graph import fp16_model, int8_model

from ..exported_fixtures import table_of
from ..exported_networks import Exported, an_encoder_each
from .graphs import SmallGraph, Wires, copied, measured, run, run_exactly_typed, saved, span
from .loud_network import loud_network

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)


def reach(ranges: Mapping[str, TensorRange]) -> float:
    return max(max(-each.low, each.high) for each in ranges.values())


@pytest.mark.parametrize("loudness", [6e3, 4e4, 1e5])
def test_scores_are_the_same_bit_for_bit(loudness: float, tmp_path: Path) -> None:
    model = loud_network(loudness)
    ranges, exact = measured(model, tmp_path, IMAGE), run(model, IMAGE)
    assert len(float_islands(model, ranges)) >= 5
    divisor, found = divide_activations(model, ranges)
    onnx.checker.check_model(model, full_check=True)
    assert np.array_equal(run(model, IMAGE), exact)
    assert float_islands(model, found) == frozenset()
    assert divisor > 1
    assert reach(found) <= LIMIT


def test_ranges_are_what_the_graph_gives_now(tmp_path: Path) -> None:
    model = loud_network(4e4, offset=120)
    ranges = measured(model, tmp_path, IMAGE)
    divisor, found = divide_activations(model, ranges)
    again = measured(model, tmp_path, IMAGE)
    assert divisor > 1
    assert set(found) == set(again)
    for name, each in again.items():
        for field in ("low", "high", "rms", "entropy", "mse_amax", "percentile", "mse", "channel_means"):
            np.testing.assert_allclose(getattr(found[name], field), getattr(each, field), rtol=1e-6, err_msg=name)
    unscaled = {name for name in ranges if found[name] == ranges[name]}
    assert unscaled == {"centered", "deep", "up", "skip", "added"}


def test_fp16_computes_what_float32_does(tmp_path: Path) -> None:
    model = loud_network(4e4)
    ranges, exact = measured(model, tmp_path, IMAGE), run(model, IMAGE)
    plain = copied(model)
    halve(plain)
    assert not np.isfinite(run_exactly_typed(plain, IMAGE)).all()
    typed = fp16_model(resolved_model(tmp_path / "measured.onnx"), ranges)
    assert (typed.islands, typed.divisor > 1) == ((), True)
    assert np.abs(run_exactly_typed(typed.model, IMAGE) - exact).max() < 4e-3 * np.abs(exact).max()
    kinds = {each.name: each.data_type for each in typed.model.graph.initializer}
    assert TensorProto.FLOAT not in kinds.values()
    assert "first.weight" not in kinds


def test_int8_weights_are_the_same_to_the_byte(tmp_path: Path) -> None:
    """And so are the scales, but for the factor, and what INT8 gives."""
    plain, scaled = loud_network(4e4), loud_network(4e4)
    ranges = measured(plain, tmp_path, IMAGE)
    divisor, found = divide_activations(scaled, ranges)
    constants = []
    for model, spans in ((plain, ranges), (scaled, found)):
        clipped = {name: Range(each.low, each.high, each.mse_amax) for name, each in spans.items()}
        means = {name: each.channel_means for name, each in spans.items()}
        quantized = quantize(model, PROFILES["tensorrt"], clipped, channel_means=means)
        assert quantized == ("first", "second", "third")
        constants.append(Wires(model).constants)
    factors = {
        name: float(np.max(constants[1][name]) / np.max(constants[0][name]))
        for name in constants[0]
        if name.endswith(".scale")
    }
    for name in quantized:
        assert constants[0][f"{name}.weight.q"].tobytes() == constants[1][f"{name}.weight.q"].tobytes()
        assert np.array_equal(constants[1][f"{name}.bias.float"] * divisor, constants[0][f"{name}.bias.float"])
    assert factors.pop("first.weight.scale") == factors["relu1.scale"] == 1 / divisor
    assert factors.pop("planes.scale") == 1
    assert factors["second.weight.scale"] == factors["third.weight.scale"] == 1
    assert np.array_equal(run(plain, IMAGE), run(scaled, IMAGE))


def test_int8_has_all_layers_then(tmp_path: Path) -> None:
    path = saved(loud_network(4e4), tmp_path / "loud.onnx")
    table = table_of(path, spec_of_onnx(path), ranges_of_images(resolved_model(path), [IMAGE], threads=1))
    digest = table.digest
    typed = int8_model(resolved_model(path), PROFILES["tensorrt"], table, method="minmax")
    assert (typed.quantized, typed.islands) == (("first", "second", "third"), ())
    assert typed.divisor > 1
    assert typed.record is not None
    assert typed.record.table == table.digest == digest
    exact = run(onnx.load_model(path), IMAGE)
    assert np.abs(run_exactly_typed(typed.model, IMAGE) - exact).max() < 0.05 * np.abs(exact).max()
    # where floats are float32, nothing has to be divided
    assert int8_model(resolved_model(path), PROFILES["openvino"], table, method="minmax").divisor == 1


def test_weights_stored_as_fp16_become_float32_constants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.export.rewrite.SMALL_WEIGHT", 1)
    model = loud_network(4e4)
    store_weights_as_fp16(model)
    ranges, exact = measured(model, tmp_path, IMAGE), run(model, IMAGE)
    assert len([node for node in model.graph.node if node.op_type == "Cast"]) > 4
    divisor, _ = divide_activations(model, ranges)
    assert np.array_equal(run(model, IMAGE), exact)
    assert divisor > 1
    halve(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.output[0] for node in model.graph.node if node.op_type == "Cast"] == ["floats", "scores"]
    assert TensorProto.FLOAT not in {each.data_type for each in model.graph.initializer}


def test_a_constant_that_several_layers_share_is_scaled_for_those_that_need_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    graph = SmallGraph()
    graph.conv("first", "planes", random.uniform(0.5, 1, (2, 3, 8, 8)), np.full(2, 300.0), strides=[8, 8])
    graph.conv("second", "first", random.normal(0, 1, (2, 2, 1, 1)))
    graph.node("Conv", ["second", "second.weight", "first.bias"], "third", kernel_shape=[1, 1])
    graph.node("Conv", ["third", "second.weight", "first.bias"], "last", kernel_shape=[1, 1])
    model = graph.model("last")
    ranges, exact = measured(model, tmp_path, IMAGE), run(model, IMAGE)
    assert divide_activations(model, ranges)[0] > 1
    names = [each.name for each in model.graph.initializer]
    assert len(names) == len(set(names))
    wires = Wires(model)
    assert np.array_equal(run(model, IMAGE), exact)
    assert wires.named("third").input[2] == wires.named("first").input[2] != wires.named("last").input[2]
    assert wires.named("second").input[1] == wires.named("third").input[1] != wires.named("last").input[1]


def unchanged(model: ModelProto, ranges: Mapping[str, TensorRange]) -> bool:
    before = model.SerializeToString(deterministic=True)
    divisor, found = divide_activations(model, ranges)
    return divisor == 1 and found == ranges and model.SerializeToString(deterministic=True) == before


@an_encoder_each
def test_networks_that_fit_stay_as_they_are(exported: Exported, table) -> None:
    assert unchanged(onnx.load_model(exported.path), table.tensors)


def test_a_network_that_is_not_homogeneous_keeps_its_islands(tmp_path: Path) -> None:
    model = loud_network(4e4)
    for node in model.graph.node:
        if node.name == "relu3":
            node.op_type = "Sigmoid"
    ranges = measured(model, tmp_path, IMAGE)
    assert unchanged(model, ranges)
    assert "second" in float_islands(model, ranges)


def test_the_divisor_is_the_smallest_power_of_two(tmp_path: Path) -> None:
    quiet = dict.fromkeys(measured(loud_network(1), tmp_path, IMAGE), span(1.0, rms=0.5))
    for most, wanted in ((LIMIT, 1), (LIMIT + 1, 2), (2 * LIMIT, 2), (2 * LIMIT + 1, 4)):
        assert divide_activations(loud_network(1), {**quiet, "relu2": span(most, rms=0.5)})[0] == wanted
    # what lies outside, no divisor helps
    assert divide_activations(loud_network(1), {**quiet, "skip": span(2 * LIMIT, rms=0.5)})[0] == 1


def test_partial_sums_count_too(tmp_path: Path) -> None:
    """Large weights of both signs: what they give is small, half of the sum is not."""
    graph = SmallGraph()
    weight = np.full((2, 3, 8, 8), 50.0)
    weight[:, :, ::2] *= -1
    graph.conv("first", "planes", weight, strides=[8, 8])
    graph.conv("last", "first", np.ones((2, 2, 1, 1)))
    model = graph.model("last")
    even = np.full((32, 64, 3), 200, np.uint8)
    ranges = ranges_of_images(resolved_model(saved(model, tmp_path / "a.onnx")), [even], threads=1)
    assert reach(ranges) < LIMIT
    assert float_islands(model, ranges) == {"first"}
    divisor, found = divide_activations(model, ranges)
    assert divisor > 1
    assert float_islands(model, found) == frozenset()


def test_no_divisor_beyond_the_largest(tmp_path: Path) -> None:
    quiet = dict.fromkeys(measured(loud_network(100), tmp_path, IMAGE), span(1.0, rms=0.5))
    assert divide_activations(loud_network(100), {**quiet, "relu2": span(MOST * LIMIT, rms=0.5)})[0] == MOST
    assert unchanged(loud_network(100), {**quiet, "relu2": span(MOST * LIMIT + 1, rms=0.5)})


def test_no_divisor_that_costs_digits(tmp_path: Path) -> None:
    """FP16 has fewer of them below 2^-14."""
    loud = dict.fromkeys(measured(loud_network(1), tmp_path, IMAGE), span(1.0, rms=0.5)) | {
        "relu2": span(4 * LIMIT, rms=0.5)
    }
    assert divide_activations(loud_network(1), loud)[0] == 4
    assert unchanged(loud_network(1), {**loud, "relu3": span(1.0, rms=2.0**-13)})
    assert divide_activations(loud_network(1), {**loud, "relu3": span(1.0, rms=2.0**-12)})[0] == 4
    assert divide_activations(loud_network(1), {**loud, "relu3": span(1.0, rms=0.0)})[0] == 4
    assert unchanged(with_weights(loud_network(1), "first", 2.0**-13), loud)
    assert divide_activations(with_weights(loud_network(1), "first", 2.0**-12), loud)[0] == 4


def test_no_divisor_that_makes_weights_too_large(tmp_path: Path) -> None:
    loud = dict.fromkeys(measured(loud_network(1), tmp_path, IMAGE), span(1.0, rms=0.0)) | {
        "relu2": span(4 * LIMIT, rms=0.0)
    }
    assert divide_activations(with_weights(loud_network(1), "skip", LARGEST / 4), loud)[0] == 4
    assert unchanged(with_weights(loud_network(1), "skip", LARGEST / 4 + 8), loud)


def with_weights(model: ModelProto, layer: str, value: float) -> ModelProto:
    weight = next(each for each in model.graph.initializer if each.name == f"{layer}.weight")
    weight.CopyFrom(onnx.numpy_helper.from_array(np.full(weight.dims, value, np.float32), weight.name))
    return model
