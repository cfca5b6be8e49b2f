from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from fcn_edge.artifacts.calibration_table import CalibrationTable
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.errors import ModelError
from fcn_edge.export.rewrite import add_labels_head, store_weights_as_fp16
from fcn_edge.quantization.calibrate import ranges_of_images
from fcn_edge.quantization.fp16 import HEADROOM, float_islands, halve
from fcn_edge.quantization.typed_graph import fp16_model

from ..exported_networks import Exported, an_encoder_each
from .graphs import SmallGraph, Wires, copied, measured, run, run_exactly_typed, saved, span

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
IMAGE = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)


def types_of(model: ModelProto) -> dict[str, int]:
    """Element type of every tensor that a node gives."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True).graph
    return {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}


def float32_of(model: ModelProto) -> set[str]:
    return {name for name, kind in types_of(model).items() if kind == FLOAT}


@an_encoder_each
def test_everything_is_fp16_but_image_and_scores(exported: Exported, table: CalibrationTable) -> None:
    typed = fp16_model(exported.model, table.tensors)
    assert typed.islands == ()
    graph = typed.model.graph
    assert float32_of(typed.model) == {"scores"}
    assert graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    scales = {node.input[2] for node in graph.node if node.op_type == "Resize"}
    assert {each.name for each in graph.initializer if each.data_type == FLOAT} == scales
    # the only casts are those of the image and of the scores
    assert [node.output[0] for node in graph.node if node.op_type == "Cast"] == ["cast_0", "scores"]


@an_encoder_each
def test_scores_stay_close(exported: Exported, table: CalibrationTable, images_of_size) -> None:
    image = images_of_size((96, 160))[0]
    exact, halved = (
        run(onnx.load_model(exported.path), image),
        run(fp16_model(exported.model, table.tensors).model, image),
    )
    assert halved.dtype == np.float32
    assert (exact.argmax(axis=0) == halved.argmax(axis=0)).mean() > 0.98
    assert 0 < np.sqrt(((exact - halved) ** 2).mean()) < 0.01 * exact.std()


def test_weights_stored_as_fp16_lose_their_casts(small: Exported, small_table: CalibrationTable) -> None:
    stored, plain = onnx.load_model(small.path), onnx.load_model(small.path)
    store_weights_as_fp16(stored)
    assert float_islands(stored, small_table.tensors) == frozenset()
    halve(stored)
    halve(plain)
    onnx.checker.check_model(stored, full_check=True)
    constants = Wires(plain).constants
    found = Wires(stored).constants
    assert {name.removesuffix(".fp16") for name in found} == {name.removesuffix(".fp16") for name in constants}
    assert [node.op_type for node in stored.graph.node] == [node.op_type for node in plain.graph.node]
    assert all(np.array_equal(value, constants[name]) for name, value in found.items())


def loud(*, loudness: float = 2e4) -> ModelProto:
    """Two convolutions: the first gives activations beyond FP16, the second takes them back."""
    random = np.random.default_rng(0)
    graph = SmallGraph()
    graph.conv("first", "planes", random.uniform(0.5, 1, (4, 3, 8, 8)) * loudness / 192, strides=[8, 8])
    graph.node("Relu", "first", "relu")
    graph.conv("last", "relu", random.normal(0, 1, (2, 4, 1, 1)) / loudness, np.zeros(2))
    return graph.model("last")


def test_layers_that_leave_the_range_are_islands(tmp_path: Path) -> None:
    model = loud()
    exact = run(model, IMAGE)
    islands = float_islands(model, measured(model, tmp_path, IMAGE))
    assert islands == {"first", "relu", "last"}
    plain, mixed = copied(model), copied(model)
    halve(plain)
    assert not np.isfinite(run_exactly_typed(plain, IMAGE)).all()
    halve(mixed, islands)
    onnx.checker.check_model(mixed, full_check=True)
    assert np.abs(run_exactly_typed(mixed, IMAGE) - exact).max() < 1e-2 * np.abs(exact).max()
    types = types_of(mixed)
    assert types["channels"] == types["scores.fp16"] == HALF
    assert types["first"] == types["relu"] == types["last"] == FLOAT
    assert Wires(mixed).constants["first.weight"].dtype == np.float32


def test_islands_begin_well_below_the_end_of_fp16() -> None:
    model = loud()
    for most, wanted in ((65504 / HEADROOM - 1, set()), (65504 / HEADROOM + 1, {"relu", "last"})):
        assert float_islands(model, {"relu": span(most, rms=0.0)}) == wanted


def test_convolutions_whose_partial_sums_may_overflow_are_islands(tmp_path: Path) -> None:
    """Large weights of both signs on an even image: the result is small, half of the sum is not."""
    weight = np.full((2, 3, 8, 8), 50.0)
    weight[:, :, ::2] *= -1
    graph = SmallGraph()
    graph.conv("last", "planes", weight, strides=[8, 8])
    model = graph.model("last")
    even = np.full((32, 64, 3), 200, np.uint8)
    found = ranges_of_images(resolved_model(saved(model, tmp_path / "a.onnx")), [even], threads=1)
    assert found["last"].high == 0
    assert float_islands(model, found) == {"last"}


def test_labels_of_scores_beyond_fp16_are_those_of_float32(tmp_path: Path) -> None:
    graph = SmallGraph()
    weight = np.random.default_rng(0).normal(0, 1, (2, 3, 8, 8)) * 3e3
    graph.conv("last", "planes", np.abs(weight), strides=[8, 8])
    model = graph.model("last", labels=True)
    labels = run(model, IMAGE)
    islands = float_islands(model, measured(model, tmp_path, IMAGE))
    assert islands == {"last", "labels.resize", "labels.squeeze", "labels.argmax"}
    halve(model, islands)
    onnx.checker.check_model(model, full_check=True)
    assert len(np.unique(labels)) == 2
    assert np.array_equal(run_exactly_typed(model, IMAGE), labels)


def test_labels_head_stays_legal_and_gives_bytes(
    small: Exported, small_table: CalibrationTable, images_of_size
) -> None:
    model = onnx.load_model(small.path)
    add_labels_head(model, small.spec)
    image = images_of_size((96, 160))[0]
    labels = run(model, image)
    halve(model)
    onnx.checker.check_model(model, full_check=True)
    assert float32_of(model) == set()
    assert types_of(model)["labels"] == TensorProto.UINT8
    assert types_of(model)["labels.argmax"] == TensorProto.INT64
    assert Wires(model).constants["labels.scales"].dtype == np.float32
    halved = run(model, image)
    assert halved.dtype == np.uint8
    assert (halved == labels).mean() > 0.98


@pytest.mark.parametrize("value", [7e4, -1e9, np.inf, np.nan])
def test_weights_that_fp16_cannot_hold_are_refused_by_name(value: float) -> None:
    weight = np.ones((2, 3, 8, 8))
    weight[1, 1, 1, 1] = value
    graph = SmallGraph()
    graph.conv("encoder.layer", "planes", weight, strides=[8, 8])
    model = graph.model("encoder.layer")
    with pytest.raises(ModelError, match=r"encoder\.layer\.weight holds a value of .*; FP16 ends at 65504") as caught:
        halve(model)
    assert "--precision fp32" in caught.value.fix


def test_an_island_may_hold_such_weights(tmp_path: Path) -> None:
    graph = SmallGraph()
    graph.conv("last", "planes", np.full((2, 3, 8, 8), 1e6), strides=[8, 8])
    model = graph.model("last")
    exact: NDArray[np.float32] = run(model, IMAGE)
    halve(model, float_islands(model, measured(model, tmp_path, IMAGE)))
    assert np.allclose(run_exactly_typed(model, IMAGE), exact, rtol=1e-3)
