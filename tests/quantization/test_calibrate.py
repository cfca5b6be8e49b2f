from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from onnx import numpy_helper

from fcn_edge.artifacts.calibration_table import METHODS, CalibrationTable, read_table, write_table
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.cli.main import main
from fcn_edge.datasets.calibration import CalibrationImage, CalibrationSet
from fcn_edge.errors import DatasetError, ModelError
from fcn_edge.quantization.calibrate import calibration_table, ranges_of_images
from fcn_edge.quantization.profiles import PROFILES

from ..exported_networks import Exported, an_encoder_each
from ..levels_network import LevelsNetwork
from .graphs import SmallGraph, Wires, saved

Image = NDArray[np.uint8]


@pytest.fixture(scope="session")
def chosen(images_of_size, tmp_path_factory: pytest.TempPathFactory) -> CalibrationSet:
    """Three images in files."""
    directory = tmp_path_factory.mktemp("images")
    found = []
    for index, image in enumerate(images_of_size((90, 150))):
        path = directory / f"{index}.png"
        cv2.imwrite(str(path), image)
        found.append(CalibrationImage(path.name, path, hashlib.sha256(path.read_bytes()).hexdigest(), None))
    return CalibrationSet(
        name="streets",
        split="train",
        images=tuple(found),
        chosen="All three.",
        classes=None,
        missing_classes=(),
        seed=0,
        rendered=False,
    )


@pytest.fixture
def model(levels: LevelsNetwork) -> Model:
    """A network of three layers: what is said of a table as a whole does not depend on how many it has."""
    return resolved_model(levels.path)


@pytest.fixture(scope="session")
def made(levels: LevelsNetwork, chosen: CalibrationSet) -> CalibrationTable:
    return calibration_table(resolved_model(levels.path), chosen, threads=1)


def test_table_names_model_preprocessing_images_and_tools(
    model: Model, chosen: CalibrationSet, made: CalibrationTable
) -> None:
    made.require_for("table.json", model_digest(model.path), model.spec)
    assert (made.model, made.size, made.dataset, made.chosen) == (
        model.spec.name,
        model.spec.size,
        "streets train",
        "All three.",
    )
    assert made.image_hashes == {image.sha256 for image in chosen.images}
    assert {"fcn_edge", "numpy", "onnxruntime"} <= set(made.tools)
    assert made.tools["onnxruntime"] == onnxruntime.__version__


def test_same_inputs_give_the_same_bytes(
    model: Model, chosen: CalibrationSet, made: CalibrationTable, tmp_path: Path
) -> None:
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    write_table(paths[0], made)
    write_table(paths[1], calibration_table(model, chosen, threads=1))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_table(paths[0]) == made


def test_order_of_the_images_changes_only_their_list(
    model: Model, chosen: CalibrationSet, made: CalibrationTable
) -> None:
    shuffled = CalibrationSet(**{**vars(chosen), "images": chosen.images[::-1]})
    other = calibration_table(model, shuffled, threads=1)
    assert other.tensors == made.tensors
    assert other.images == made.images[::-1]


def test_number_of_threads_depends_on_no_machine(
    model: Model, chosen: CalibrationSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    session = onnxruntime.InferenceSession

    def opened(model: bytes, options: onnxruntime.SessionOptions, **more: object) -> onnxruntime.InferenceSession:
        given.append(options.intra_op_num_threads)
        return session(model, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opened)
    for cores in ({0}, set(range(64))):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores)
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: len(cores))
        calibration_table(model, chosen)
    assert given == [2, 2]
    assert "2 when left out" in CliRunner().invoke(main, ["calibrate", "--help"]).output


def test_number_of_threads_changes_at_most_the_last_digits(
    model: Model, chosen: CalibrationSet, made: CalibrationTable
) -> None:
    other = calibration_table(model, chosen, threads=2)
    for name, span in made.tensors.items():
        for field in ("low", "high", "rms"):
            value = getattr(span, field)
            assert getattr(other.tensors[name], field) == pytest.approx(value, rel=1e-5, abs=1e-5)


@an_encoder_each
def test_table_holds_every_tensor_that_a_profile_quantizes(
    table: CalibrationTable, int8: Callable[..., object], exported: Exported
) -> None:
    for name in PROFILES:
        quantized = {node.input[0] for node in Wires(int8(name).model).of_type("QuantizeLinear")}
        assert quantized <= set(table.tensors)
        assert len(quantized) > 10
    graph = onnx.load_model(exported.path).graph
    convolved = {node.input[0] for node in graph.node if node.op_type == "Conv"}
    assert {name for name, span in table.tensors.items() if span.channel_means} == convolved


def test_statistics_are_those_of_the_tensors(small: Exported, images_of_size) -> None:
    """Against a second way to look at them: in float64 and without a histogram."""
    images = images_of_size((96, 160))
    found = ranges_of_images(small.model, images, threads=1)
    model = onnx.load_model(small.path)
    names = [name for name in found if name.startswith(("sub_", "clip_1", "add_", "decoder."))]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [session.run(names, {"image": image}) for image in images]
    assert len(names) > 15
    for name, tensors in zip(names, zip(*outputs, strict=True), strict=True):
        values, span = np.stack(tensors).astype(np.float64), found[name]
        assert span.low == pytest.approx(values.min(), rel=1e-4, abs=1e-4)
        assert span.high == pytest.approx(values.max(), rel=1e-4, abs=1e-4)
        assert span.rms == pytest.approx(np.sqrt((values**2).mean()), rel=2e-3)
        assert span.zeros == pytest.approx((values == 0).mean(), abs=1e-4)
        if span.channel_means:
            assert np.allclose(span.channel_means, values.mean(axis=(0, 1, 3, 4)), rtol=1e-4, atol=1e-4)


def test_what_each_method_says_is_within_the_range(small_table: CalibrationTable) -> None:
    assert set(METHODS) == {"minmax", "percentile", "entropy", "mse"}
    for span in small_table.tensors.values():
        low, high = min(span.low, 0), max(span.high, 0)
        amax = max(-low, high)
        for left, right in (span.percentile, span.mse):
            assert low <= left <= 0 <= right <= high
        assert 0 < span.entropy <= amax
        assert 0 < span.mse_amax <= amax


def test_images_are_let_go_one_after_the_other(model: Model, images_of_size) -> None:
    """The memory depends on one image, not on their number."""
    made: list[weakref.ref[Image]] = []
    most = 0

    def images() -> Iterator[Image]:
        nonlocal most
        for _ in range(6):
            image = images_of_size((64, 96))[0].copy()
            made.append(weakref.ref(image))
            most = max(most, sum(each() is not None for each in made))
            yield image

    ranges_of_images(model, images(), size=(64, 96), threads=1)
    assert most <= 2


@pytest.mark.parametrize(("bias", "operator"), [(200, "Exp"), (-1, "Sqrt")], ids=["infinity", "NaN"])
def test_activations_that_are_not_finite_are_refused(tmp_path: Path, bias: float, operator: str) -> None:
    graph = SmallGraph()
    graph.conv("conv", "planes", np.ones((2, 3, 8, 8)), np.array([0, bias]), strides=[8, 8])
    graph.node("Relu", graph.node(operator, "conv", "first"), "relu")
    path = saved(graph.model("relu"), tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match="gives NaN or infinity at first") as caught:
        ranges_of_images(resolved_model(path), [np.zeros((32, 64, 3), np.uint8)], threads=1)
    assert "its training diverged" in caught.value.fix


def test_no_images_are_an_error(small: Exported) -> None:
    with pytest.raises(DatasetError, match="no images"):
        ranges_of_images(small.model, [], threads=1)


def test_typed_graphs_are_refused(int8_file: Path) -> None:
    with pytest.raises(ModelError, match="is an int8 graph already; an fp32 one was expected"):
        ranges_of_images(resolved_model(int8_file), [np.zeros((32, 64, 3), np.uint8)])


def test_graph_that_onnxruntime_refuses_is_a_model_error(tmp_path: Path) -> None:
    """A valid graph, that says nothing of its sizes, with weights that fit no image."""
    graph = SmallGraph()
    graph.conv("first", "planes", np.ones((2, 3, 8, 8)), strides=[8, 8])
    graph.constant("bad", np.zeros((1, 2, 5, 5), np.float32))
    graph.node("Add", ["first", "bad"], "sum")
    path = saved(graph.model("sum"), tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"ONNX Runtime cannot run .*bad\.onnx"):
        ranges_of_images(resolved_model(path), [np.zeros((64, 64, 3), np.uint8)], threads=1)


def test_progress_is_told(model: Model, chosen: CalibrationSet) -> None:
    told: list[tuple[int, int]] = []
    calibration_table(model, chosen, size=(32, 64), threads=1, progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_image_that_changed_since_it_was_chosen_is_refused(small: Exported, chosen: CalibrationSet) -> None:
    first = chosen.images[0]
    other = CalibrationSet(**{**vars(chosen), "images": (CalibrationImage(first.name, first.path, "0" * 64, None),)})
    with pytest.raises(DatasetError, match="not the image that was chosen"):
        calibration_table(small.model, other, threads=1)


def test_damaged_model_on_the_command_line(small: Exported, chosen: CalibrationSet, tmp_path: Path) -> None:
    model = onnx.load_model(small.path)
    weights = model.graph.initializer[3]
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights)[..., :0], weights.name))
    path = tmp_path / "damaged.onnx"
    path.write_bytes(model.SerializeToString())
    assert chosen.images[0].path is not None
    arguments = ["calibrate", path, "--images", chosen.images[0].path.parent, "-o", tmp_path / "t.json", "--json"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 3, done.output
    assert not (tmp_path / "t.json").exists()
