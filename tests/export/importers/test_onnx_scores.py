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

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch
from torch import nn
from torch.nn import functional

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.onnx_network import OnnxNetwork
from fcn_edge.export.importers.onnx_scores import onnx_network
from fcn_edge.export.onnx import onnx_from_checkpoint, onnx_from_network
from fcn_edge.export.parity import Parity, parity_of_onnx
from fcn_edge.runtime.segmenter import load

from .foreign_graphs import (
    CLASSES,
    MEAN,
    OPEN,
    STD,
    Sketch,
    network,
    normalized,
    resize_to_image,
    save,
    standardize,
    streets,
)

IMAGENET = ImportOptions(mean=MEAN, std=STD, color_order="rgb")
SIZES: tuple[Size, Size] = ((64, 96), (72, 120))
"""The second is no multiple of 32."""


def mmsegmentation(size: Size) -> ModelProto:
    """Fixed, opset 11, upsampled to numbers, the mask's axis of classes kept."""
    sketch = Sketch(opset=11)
    scores = network(sketch, "input")
    target = sketch.constant([1, CLASSES, *size], np.int64)
    empty = sketch.constant([], np.float32)
    full = sketch.add(
        "Resize", scores, empty, empty, target, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"
    )
    mask = sketch.add("ArgMax", full, name="output", axis=1, keepdims=1)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def paddleseg(size: Size) -> ModelProto:
    """Open sides, Softmax, and a mask of int32."""
    del size
    sketch = Sketch(opset=13)
    scores = network(sketch, "x", batch_norm=False)
    likely = sketch.add("Softmax", resize_to_image(sketch, scores, "x", "half_pixel"), axis=1)
    mask = sketch.add(
        "Cast", sketch.add("ArgMax", likely, axis=1, keepdims=0), name="argmax_0.tmp_0", to=TensorProto.INT32
    )
    return standardize(sketch.model(OPEN, "x", mask), scores, normalized)


def corners(size: Size) -> ModelProto:
    """Upsampled with ``align_corners``, to scores."""
    del size
    sketch = Sketch()
    scores = network(sketch, "input")
    full = resize_to_image(sketch, scores, "input", "align_corners")
    return standardize(sketch.model(OPEN, "input", full), scores, normalized)


def origin(size: Size) -> ModelProto:
    """Upsampled by a factor, cell on pixel."""
    del size
    sketch = Sketch()
    scores = network(sketch, "input")
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="asymmetric")
    return standardize(sketch.model(OPEN, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def keras(size: Size) -> ModelProto:
    """Channels last, from the image to the classes."""
    sketch = Sketch()
    planes = sketch.add("Transpose", "input_1", perm=[0, 3, 1, 2])
    scores = network(sketch, planes)
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    likely = sketch.add("Softmax", sketch.add("Transpose", full, perm=[0, 2, 3, 1]), axis=-1)
    mask = sketch.add("ArgMax", likely, axis=3, keepdims=0)
    return standardize(
        sketch.model(size, "input_1", mask, layout="nhwc"),
        scores,
        lambda image: normalized(image).transpose(0, 2, 3, 1),
    )


def bytes_inside(size: Size) -> ModelProto:
    """A uint8 image, normalized inside the graph."""
    sketch = Sketch()
    floats = sketch.add("Cast", "image", to=TensorProto.FLOAT)
    planes = sketch.add("Transpose", floats, perm=[0, 3, 1, 2])
    centered = sketch.add("Sub", planes, sketch.constant(np.reshape(MEAN, (1, 3, 1, 1))))
    scaled = sketch.add("Div", centered, sketch.constant(np.reshape(STD, (1, 3, 1, 1))))
    scores = network(sketch, scaled)
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear")
    model = sketch.model(size, "image", sketch.add("ArgMax", full, axis=1), layout="nhwc", element=TensorProto.UINT8)
    return standardize(model, scores, lambda image: np.ascontiguousarray(image[None, :, :, ::-1]))


def two_readers(size: Size) -> ModelProto:
    """The image goes to a convolution and around it: nothing can be folded."""
    del size
    sketch = Sketch()
    features = sketch.add("Concat", "input", sketch.add("Relu", "input"), axis=1)
    sketch.weights["mix.weight"] = np.random.default_rng(0).normal(0, 0.5, (3, 6, 1, 1)).astype(np.float32)
    scores = network(sketch, sketch.add("Conv", features, "mix.weight"), stride=4)
    full = resize_to_image(sketch, scores, "input", "half_pixel")
    return standardize(sketch.model(OPEN, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def cubic(size: Size) -> ModelProto:
    """Upsampled in a way that decoding does not know."""
    del size
    sketch = Sketch()
    scores = network(sketch, "input", stride=4)
    factors = sketch.constant([1, 1, 4, 4])
    full = sketch.add("Resize", scores, "", factors, mode="cubic", coordinate_transformation_mode="half_pixel")
    return standardize(sketch.model(OPEN, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def learned(size: Size) -> ModelProto:
    """Upsampled by a transposed convolution."""
    sketch = Sketch()
    scores = network(sketch, "input", stride=4)
    kernel = np.eye(CLASSES, dtype=np.float32)[:, :, None, None] * np.random.default_rng(0).uniform(0, 1, (1, 1, 4, 4))
    sketch.weights["up.weight"] = kernel.astype(np.float32)
    full = sketch.add("ConvTranspose", scores, "up.weight", strides=[4, 4])
    return standardize(sketch.model(size, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def softmax_first(size: Size) -> ModelProto:
    """Probabilities are interpolated, not scores: their Softmax stays."""
    sketch = Sketch()
    scores = network(sketch, "input")
    likely = sketch.add("Softmax", scores, axis=1)
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", likely, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    return standardize(sketch.model(size, "input", sketch.add("ArgMax", full, axis=1)), scores, normalized)


def bare(size: Size) -> ModelProto:
    """Scores at a stride, and nothing after them."""
    sketch = Sketch()
    scores = network(sketch, "input")
    return standardize(sketch.model(size, "input", scores), scores, normalized)


def twice(size: Size) -> ModelProto:
    """Upsampled to the image, and once more to the size that it has then, as mmsegmentation 0.x writes it."""
    sketch = Sketch()
    scores = network(sketch, "input")
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    target = sketch.constant([1, CLASSES, *size], np.int64)
    again = sketch.add("Resize", full, "", "", target, mode="linear", coordinate_transformation_mode="half_pixel")
    mask = sketch.add("ArgMax", sketch.add("Softmax", again, axis=1), axis=1)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def scores_last(size: Size) -> ModelProto:
    """Probabilities with the classes last, as tf2onnx gives them."""
    sketch = Sketch()
    scores = network(sketch, "input")
    last = sketch.add("Softmax", sketch.add("Transpose", scores, perm=[0, 2, 3, 1]), axis=-1)
    return standardize(sketch.model(size, "input", last), scores, normalized)


def first_of_batch(size: Size) -> ModelProto:
    """``net(x)[0].argmax(0)``."""
    sketch = Sketch()
    scores = network(sketch, "input")
    factors = sketch.constant([1, 1, 8, 8])
    full = sketch.add("Resize", scores, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    sketch.weights["first"] = np.array(0, np.int64)
    mask = sketch.add("ArgMax", sketch.add("Gather", full, "first", axis=0), axis=0, keepdims=0)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


def turned(size: Size) -> ModelProto:
    """Softmax over classes as PyTorch writes it below opset 13: with the classes last, and back."""
    sketch = Sketch(opset=11)
    scores = network(sketch, "input")
    target, empty = sketch.constant([1, CLASSES, *size], np.int64), sketch.constant([], np.float32)
    full = sketch.add(
        "Resize", scores, empty, empty, target, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"
    )
    likely = sketch.add("Softmax", sketch.add("Transpose", full, perm=[0, 3, 2, 1]), axis=3)
    mask = sketch.add("ArgMax", sketch.add("Transpose", likely, perm=[0, 3, 2, 1]), axis=1)
    return standardize(sketch.model(size, "input", mask), scores, normalized)


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


def opened(model: ModelProto, path: Path, options: ImportOptions = IMAGENET) -> OnnxNetwork:
    return onnx_network(save(model, path), options)


def parity_at(found: OnnxNetwork, path: Path, size: Size) -> Parity:
    onnx.save_model(onnx_from_network(found), path)
    return parity_of_onnx(path, found, streets(size), size=size)


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


class Wrapped(nn.Module):
    """Gives its main and its auxiliary scores, as torchvision's networks do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()
        )
        self.classifier, self.aux_classifier = nn.Conv2d(8, CLASSES, 1), nn.Conv2d(8, CLASSES, 1)
        # the second moment of features of normalized pixels is about one
        nn.init.normal_(self.classifier.weight)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores of the image's size."""
        features = self.backbone(x)
        heads = {"out": self.classifier, "aux": self.aux_classifier}
        return {
            name: functional.interpolate(head(features), size=x.shape[-2:], mode="bilinear", align_corners=False)
            for name, head in heads.items()
        }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_network_that_pytorch_exports_with_its_weights_beside_it(tmp_path: Path) -> None:
    torch.onnx.export(
        Wrapped().eval(),
        (torch.zeros(1, 3, 64, 96),),
        str(tmp_path / "theirs.onnx"),
        dynamo=True,
        external_data=True,
        input_names=["input"],
        output_names=["out", "aux"],
        verbose=False,
    )
    assert (tmp_path / "theirs.onnx.data").is_file()
    found = onnx_network(tmp_path / "theirs.onnx", IMAGENET)
    result = parity_at(found, tmp_path / "ours.onnx", (64, 96))
    assert (result.label_agreement, found.spec.stride) == (1.0, 4)
    assert {"backbone.0", "classifier"} <= {node.name for node in onnx.load(tmp_path / "ours.onnx").graph.node}
    named = onnx_network(
        tmp_path / "theirs.onnx", ImportOptions(mean=MEAN, std=STD, color_order="rgb", output_name="aux")
    )
    assert np.abs(named.scores(streets((64, 96))[0]) - found.scores(streets((64, 96))[0])).max() > 0.1


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
