"""ONNX files of other programs, in the forms that they are written in: the same scores and masks come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.onnx_scores import onnx_network
from fcn_edge.export.onnx import onnx_from_checkpoint, onnx_from_network
from fcn_edge.runtime.segmenter import load

from .foreign_exports import IMAGENET, opened, parity_at
from .foreign_forms import (
    bare,
    bytes_inside,
    corners,
    cubic,
    first_of_batch,
    keras,
    learned,
    mmsegmentation,
    origin,
    paddleseg,
    scores_last,
    softmax_first,
    turned,
    twice,
    two_readers,
)
from .foreign_graphs import CLASSES, MEAN, OPEN, STD, Sketch, network, normalized, save, standardize, streets

SIZES: tuple[Size, Size] = ((64, 96), (72, 120))
"""The second is no multiple of 32."""


FOLDED = {"Cast", "Transpose", "Unsqueeze", "Sub", "Conv", "Relu", "Squeeze"}
EVEN = ("edges", 8)
FORMS: dict[Callable[[Size], ModelProto], tuple[str, int, set[str]]] = {
    mmsegmentation: (*EVEN, FOLDED),
    paddleseg: (*EVEN, FOLDED),
    corners: ("corners", 8, FOLDED),
    origin: ("stride", 8, FOLDED),
    keras: (*EVEN, FOLDED),
    bytes_inside: (*EVEN, FOLDED | {"Div", "Gather"}),
    two_readers: ("edges", 4, FOLDED | {"Mul", "Gather", "Concat"}),
    cubic: ("edges", 1, FOLDED | {"Resize"}),
    learned: ("edges", 1, FOLDED | {"ConvTranspose"}),
    softmax_first: (*EVEN, FOLDED | {"Softmax"}),
    bare: (*EVEN, FOLDED),
    twice: (*EVEN, FOLDED),
    scores_last: (*EVEN, FOLDED | {"Softmax"}),
    first_of_batch: (*EVEN, FOLDED),
    turned: (*EVEN, FOLDED),
}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_scores_and_masks_are_those_of_the_file(form: Callable[[Size], ModelProto], tmp_path: Path) -> None:
    align, stride, operators = FORMS[form]
    options = ImportOptions(color_order="rgb") if form is bytes_inside else IMAGENET
    for size in SIZES:
        found = opened(form(size), tmp_path / "theirs.onnx", options)
        result = parity_at(found, tmp_path / "ours.onnx", size)
        assert result.label_agreement >= 0.999
        assert result.max_abs_diff <= 1e-3 * result.score_range
        assert len(result.classes) >= 5
        assert (found.spec.geometry.align, found.spec.stride, found.spec.family) == (align, stride, "onnx")
        graph = onnx.load(tmp_path / "ours.onnx").graph
        assert {node.op_type for node in graph.node} <= operators
        assert [value.name for value in (*graph.input, *graph.output)] == ["image", "scores"]
        names = [node.name for node in graph.node]
        assert len(set(names)) == len(names)
        assert "backbone.0" in names
        assert "somebody" not in str(graph)


def test_a_frame_gets_the_mask_that_the_file_gives(tmp_path: Path) -> None:
    model = paddleseg(OPEN)
    theirs = save(model, tmp_path / "theirs.onnx")
    onnx_from_checkpoint(
        theirs, tmp_path / "ours.onnx", options=ImportOptions(mean=MEAN, std=STD, color_order="rgb", size=(64, 96))
    )
    (frame,) = streets((64, 96), 1)
    session = onnxruntime.InferenceSession(str(theirs), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": normalized(frame)})
    with load(tmp_path / "ours.onnx", backend="onnxruntime") as segmenter:
        assert np.mean(segmenter(frame).labels == wanted[0]) >= 0.999


def test_an_open_graph_takes_the_sizes_that_it_is_told_to(tmp_path: Path) -> None:
    found = opened(paddleseg(OPEN), tmp_path / "theirs.onnx")
    assert found.spec.geometry == Geometry(size_multiple=1)
    assert parity_at(found, tmp_path / "ours.onnx", (65, 99)).label_agreement >= 0.999
    found = opened(origin(OPEN), tmp_path / "factors.onnx")
    assert found.spec.geometry.size_multiple == 8
    (height, width, _) = (dim.dim_param for dim in found.graph().graph.input[0].type.tensor_type.shape.dim)
    assert (height, width) == ("8*h", "8*w")


def test_a_fixed_graph_keeps_its_size(tmp_path: Path) -> None:
    found = opened(mmsegmentation((72, 120)), tmp_path / "theirs.onnx")
    assert found.spec.size == (72, 120)
    sides = [dim.dim_value for dim in found.graph().graph.input[0].type.tensor_type.shape.dim]
    assert sides == [72, 120, 3]
    with pytest.raises(UsageError, match="takes 72x120 images"):
        onnx_network(tmp_path / "theirs.onnx", ImportOptions(mean=MEAN, std=STD, color_order="rgb", size=(64, 96)))


def upsampled(sketch: Sketch, scores: str, size: Size, mode: str = "half_pixel") -> str:
    """To numbers."""
    target = sketch.constant([1, CLASSES, *size], np.int64)
    full = sketch.add("Resize", scores, "", "", target, mode="linear", coordinate_transformation_mode=mode)
    return sketch.add("ArgMax", full, axis=1)


def test_grids_that_round_down(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, sketch.add("MaxPool", "input", kernel_shape=[8, 8], strides=[8, 8]), stride=1)
    model = sketch.model((60, 96), "input", upsampled(sketch, scores, (60, 96)))
    found = opened(standardize(model, scores, normalized), tmp_path / "theirs.onnx")
    assert (found.spec.stride, found.spec.geometry.padding, found.spec.grid_size((60, 96))) == (8, -7, (7, 12))
    assert parity_at(found, tmp_path / "ours.onnx", (60, 96)).label_agreement >= 0.999


def test_sides_that_are_open_in_name_only(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    model = standardize(sketch.model(OPEN, "input", upsampled(sketch, scores, (64, 96))), scores, normalized)
    options = ImportOptions(mean=MEAN, std=STD, color_order="rgb", size=(64, 96))
    found = opened(model, tmp_path / "theirs.onnx", options)
    assert "takes images of 64x96 (height x width) only" in " ".join(found.notes)
    assert parity_at(found, tmp_path / "ours.onnx", (64, 96)).label_agreement >= 0.999
    image = onnx.load(tmp_path / "ours.onnx").graph.input[0]
    assert [dim.dim_value for dim in image.type.tensor_type.shape.dim] == [64, 96, 3]


def test_steps_that_are_no_whole_numbers_stay_in_the_graph(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    mask = upsampled(sketch, scores, (60, 100), "asymmetric")
    model = standardize(sketch.model((60, 100), "input", mask), scores, normalized)
    found = opened(model, tmp_path / "theirs.onnx")
    assert (found.spec.stride, found.spec.geometry.align) == (1, "edges")
    assert parity_at(found, tmp_path / "ours.onnx", (60, 100)).label_agreement >= 0.999


def test_masks_larger_than_the_image_name_the_scores_below(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    mask = upsampled(sketch, scores, (100, 170))
    model = standardize(sketch.model((64, 96), "input", mask), scores, normalized)
    with pytest.raises(ModelError, match="gives 100x170 scores for an image of 64x96") as caught:
        opened(model, tmp_path / "theirs.onnx")
    assert f"--output-name {scores} takes" in caught.value.fix
    named = ImportOptions(mean=MEAN, std=STD, color_order="rgb", output_name=scores)
    found = opened(model, tmp_path / "theirs.onnx", named)
    assert (found.spec.stride, parity_at(found, tmp_path / "ours.onnx", (64, 96)).label_agreement) == (8, 1.0)


def test_no_mask_inside_a_graph_of_one_size_that_does_not_divide(tmp_path: Path) -> None:
    options = ImportOptions(mean=MEAN, std=STD, color_order="rgb")
    theirs = save(bare((100, 204)), tmp_path / "theirs.onnx")
    with pytest.raises(UsageError, match="images of 100x204 only, which are no multiples of its stride 8") as caught:
        onnx_from_checkpoint(theirs, tmp_path / "ours.onnx", options=options, head="labels")
    assert "Leave out --head" in caught.value.fix


def test_names_that_are_guessed_or_do_not_fit_are_told(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    weights = np.random.default_rng(0).normal(0, 1, (11, CLASSES, 1, 1)).astype(np.float32)
    sketch.weights["labels.weight"] = weights
    made = sketch.add("Conv", scores, "labels.weight", kernel_shape=[1, 1])
    found = opened(standardize(sketch.model((64, 96), "input", made), scores, normalized), tmp_path / "theirs.onnx")
    assert "Its 11 classes are called as those of camvid" in found.notes[-1]
    # a layer of theirs may be called as a part of ours
    with_mask = found.with_spec(head="labels", geometry=Geometry(size_multiple=8).model_dump())
    graph = onnx_from_network(with_mask).graph
    assert [value.name for value in graph.output] == ["labels"]


def test_a_mask_inside_the_graph_can_be_named(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    mask = upsampled(sketch, scores, (64, 96))
    cast = sketch.add("Cast", mask, to=TensorProto.INT32)
    model = standardize(sketch.model((64, 96), "input", cast), scores, normalized)
    named = ImportOptions(mean=MEAN, std=STD, color_order="rgb", output_name=mask)
    assert opened(model, tmp_path / "theirs.onnx", named).spec.stride == 8


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "--mean, --std, --color-order"),
        ({"mean": MEAN, "std": STD}, "--color-order"),
        ({"color_order": "bgr"}, "--mean, --std"),
    ],
)
def test_what_nobody_says_is_asked_for(given: dict[str, Any], missing: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"normalized with: {missing} had") as caught:
        opened(bare((64, 96)), tmp_path / "theirs.onnx", ImportOptions(**given))
    assert "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --color-order rgb" in caught.value.fix


def test_what_the_user_says_prevails(tmp_path: Path) -> None:
    options = ImportOptions(mean=(1, 2, 3), std=(4, 5, 6), color_order="bgr")
    found = opened(bare((64, 96)), tmp_path / "theirs.onnx", options)
    assert found.spec.normalization.mean == (1, 2, 3)
    assert found.spec.normalization.color_order == "bgr"
    assert parity_at(found, tmp_path / "ours.onnx", (64, 96)).label_agreement >= 0.999


@pytest.mark.parametrize(("options", "said"), [({"arch": "fcn"}, "--arch"), ({"decoder": "fcn8s"}, "--decoder")])
def test_a_graph_says_what_it_is(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="says what it computes") as caught:
        opened(bare((64, 96)), tmp_path / "theirs.onnx", ImportOptions(**options))
    assert said in caught.value.fix


def outputs(names: Sequence[str]) -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input")
    for name in names:
        sketch.add("Identity", scores, name=name)
    model = sketch.model((64, 96), "input", names[0])
    for name in names[1:]:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CLASSES, 8, 12]))
    return model


def test_several_outputs_need_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 2 outputs: one, two") as caught:
        opened(outputs(["one", "two"]), tmp_path / "theirs.onnx")
    assert "--output-name" in caught.value.fix
    with pytest.raises(UsageError, match="computes no 'three'"):
        onnx_network(
            tmp_path / "theirs.onnx", ImportOptions(mean=MEAN, std=STD, color_order="rgb", output_name="three")
        )


def test_a_size_that_the_graph_does_not_take_names_the_nearest(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input", stride=4)
    coarse = sketch.add("MaxPool", scores, kernel_shape=[4, 4], strides=[4, 4])
    factors = sketch.constant([1, 1, 4, 4])
    both = sketch.add("Add", scores, sketch.add("Resize", coarse, "", factors, mode="nearest"))
    model = standardize(sketch.model(OPEN, "input", both), scores, normalized)
    options = ImportOptions(mean=MEAN, std=STD, color_order="rgb", size=(300, 500))
    with pytest.raises(UsageError, match=r"The size 300x500 is not a multiple of 16 .* nearest is 304x496"):
        opened(model, tmp_path / "theirs.onnx", options)
