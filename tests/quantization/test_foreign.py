"""Graphs that importers make: open crops, ceiling pools, SiLU, splits, attention and integers that follow the size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.quantization.calibrate import ranges_of_images
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.shapes import shapes_at
from fcn_edge.quantization.typed_graph import Typed, fp16_model, fp32_model, int8_model

from ..exported_fixtures import table_of
from .cropped_network import CLASSES, SIZES, SPEC, cropped_network
from .graphs import Wires, run, saved


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return resolved_model(saved(cropped_network(), tmp_path_factory.mktemp("foreign") / "cropped.onnx"))


def image_of(size: tuple[int, int]) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(size[0]).integers(0, 256, (size[0] // 5 + 1, size[1] // 5 + 1, 3), np.uint8)
    return coarse.repeat(5, axis=0).repeat(5, axis=1)[: size[0], : size[1]]


@pytest.fixture(scope="module")
def table(model: Model) -> Any:
    return table_of(model.path, model.spec, ranges_of_images(model, [image_of(SIZES[0])], threads=1))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_size_closes_the_crops_and_changes_nothing(model: Model, size: tuple[int, int]) -> None:
    image = image_of(size)
    frozen = fp32_model(model, size=size).model
    assert not Wires(frozen).of_type("Shape")
    scores = run(frozen, image)
    np.testing.assert_array_equal(scores, run(onnx.load_model(model.path), image))
    assert scores.shape == (CLASSES, *SPEC.grid_size(size))
    assert [dim.dim_value for dim in frozen.graph.output[0].type.tensor_type.shape.dim] == list(scores.shape)


def test_macs_count_what_each_convolution_sees(model: Model) -> None:
    proto = onnx.load_model(model.path)
    shapes = shapes_at(proto, SIZES[1])
    counts = GraphView(proto).macs(SIZES[1])
    assert shapes["pool4"][2:] == [21, 27]
    assert counts["score4"] == CLASSES * 16 * 21 * 27
    assert counts["deep"] == 32 * 24 * 9 * 9 * 12


@pytest.mark.parametrize("attention", [False, True])
def test_integers_get_no_ranges(attention: bool) -> None:
    names = GraphView(cropped_network(attention=attention)).activations()
    assert {"left", "right", "joined", "up", "skip", "sum"} <= set(names)
    assert not {"up.sides", "ends", "places", "back", "scores"} & set(names)
    assert {"shares", "attended"} <= set(names) or not attention


def typed(model: Model, table: Any, name: str, batch: int = 1) -> Typed:
    if name == "fp16":
        return fp16_model(model, table.tensors, batch=batch)
    return int8_model(model, PROFILES[name], table, method="minmax", batch=batch)


@pytest.mark.parametrize("name", ["fp16", *PROFILES])
def test_typed_graphs_give_nearly_the_same(model: Model, table: Any, name: str) -> None:
    made = typed(model, table, name)
    onnx.checker.check_model(made.model, full_check=True)
    for size in SIZES[:2]:
        expected = run(onnx.load_model(model.path), image_of(size))
        got = run(made.model, image_of(size))
        assert got.dtype == np.float32
        worst = np.abs(got - expected).max() / np.ptp(expected)
        assert worst < (5e-3 if name == "fp16" else 0.1)
        assert worst > 0


@pytest.mark.parametrize("name", ["fp16", "tensorrt", "onnxruntime"])
def test_attention_that_follows_the_size_stays_legal(table: Any, name: str, tmp_path: Path) -> None:
    model = resolved_model(saved(cropped_network(attention=True), tmp_path / "attention.onnx"))
    ranges = ranges_of_images(model, [image_of(SIZES[0])], threads=1)
    made = typed(model, table_of(model.path, model.spec, ranges), name)
    for size in SIZES[:2]:
        expected = run(onnx.load_model(model.path), image_of(size))
        assert np.abs(run(made.model, image_of(size)) - expected).max() < 0.15 * np.ptp(expected)


@pytest.mark.parametrize("size", [None, SIZES[1]], ids=str)
def test_several_images_at_once(model: Model, size: tuple[int, int] | None) -> None:
    images = np.stack([image_of(SIZES[1]), image_of(SIZES[1])[::-1], image_of(SIZES[1])[:, ::-1]])
    together = run(fp32_model(model, size=size, batch=3).model, images)
    alone = np.stack([run(onnx.load_model(model.path), image) for image in images])
    np.testing.assert_array_equal(together, alone)
