"""Graphs that importers make: open crops, ceiling pools, SiLU, splits, attention and integers that follow the size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.export.rewrite import open_size, set_spec
from fcn_edge.quantization.calibrate import ranges_of_images
from fcn_edge.quantization.graph import GraphView
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.shapes import shapes_at
from fcn_edge.quantization.typed_graph import Typed, fp16_model, fp32_model, int8_model

from ..exported_fixtures import table_of
from ..exported_networks import spec_of
from .graphs import SmallGraph, Wires, run, saved

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
