"""What a foreign graph would compute is known before it runs."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from fcn_edge.artifacts.spec import Normalization
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_cost import check_cost
from fcn_edge.export.importers.onnx_file import opened_foreign
from fcn_edge.export.importers.onnx_network import ForeignSession
from fcn_edge.export.importers.onnx_tail import found_tail

from .foreign_graphs import CLASSES, OPEN, Sketch, network, save

SIZE = (64, 96)


def joined(sketch: Sketch, more: str, size: tuple[int, int] = SIZE) -> ModelProto:
    """Class scores to which a tensor's largest value is added."""
    scores = network(sketch, "input")
    return sketch.model(size, "input", sketch.add("Add", scores, sketch.add("ReduceMax", more, keepdims=0)))


def computed_sides() -> ModelProto:
    """2^30 values, whose number is the result of floating-point arithmetic."""
    sketch = Sketch()
    power = sketch.add("Pow", sketch.constant([2.0]), sketch.constant([30.0]))
    return joined(sketch, sketch.add("ConstantOfShape", sketch.add("Cast", power, to=TensorProto.INT64)))


def sides_told_wrong() -> ModelProto:
    """The same, and the file says that it is one value."""
    model = computed_sides()
    (node,) = (node for node in model.graph.node if node.op_type == "ConstantOfShape")
    model.graph.value_info.append(helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, [1]))
    return model


def from_the_image() -> ModelProto:
    """As many values as a pixel says."""
    sketch = Sketch()
    count = sketch.add("Reshape", sketch.add("ReduceMax", "input", keepdims=0), sketch.constant([1], np.int64))
    return joined(sketch, sketch.add("ConstantOfShape", sketch.add("Cast", count, to=TensorProto.INT64)))


def picked_pixels() -> ModelProto:
    sketch = Sketch()
    return joined(sketch, sketch.add("Cast", sketch.add("NonZero", "input"), to=TensorProto.FLOAT))


def drawn() -> ModelProto:
    """As many values as a random number says."""
    sketch = Sketch()
    count = sketch.add("RandomUniform", shape=[1], high=1e9)
    return joined(sketch, sketch.add("ConstantOfShape", sketch.add("Cast", count, to=TensorProto.INT64)))


def grown_in_steps() -> ModelProto:
    """Each of two steps alone stays within what is looked at."""
    sketch = Sketch()
    side = sketch.add(
        "Cast", sketch.add("Mul", sketch.constant([1 << 15]), sketch.constant([1.0])), to=TensorProto.INT64
    )
    rows = sketch.add("ConstantOfShape", sketch.add("Concat", side, sketch.constant([1], np.int64), axis=0))
    columns = sketch.add("ConstantOfShape", sketch.add("Concat", sketch.constant([1], np.int64), side, axis=0))
    return joined(sketch, sketch.add("Add", rows, columns))


def many_sides() -> ModelProto:
    """2^28 integers in a row, which might be sizes of something."""
    sketch = Sketch()
    power = sketch.add("Cast", sketch.add("Pow", sketch.constant([2.0]), sketch.constant([28.0])), to=TensorProto.INT64)
    row = sketch.add("Expand", sketch.constant([1], np.int64), power)
    again = sketch.add("Concat", row, row, row, axis=0)
    return joined(sketch, sketch.add("Cast", again, to=TensorProto.FLOAT))


def kernel_of_columns() -> ModelProto:
    """A transposed convolution that gives one pixel, of a large kernel for each of its pixels."""
    sketch = Sketch()
    sketch.weights["up.weight"] = np.zeros((CLASSES, 1, 300, 300), np.float32)
    planes = network(sketch, "input", stride=1)
    return joined(sketch, sketch.add("ConvTranspose", planes, "up.weight", pads=[181, 197, 181, 197]))


def product_of_all() -> ModelProto:
    sketch = Sketch()
    given = [sketch.constant(np.zeros((64, 64))) for _ in range(3)]
    return joined(sketch, sketch.add("Einsum", *given, equation="ab,cd,ef->"))


TOO_MUCH = "computes more than 536870912 values in one tensor"
UNKNOWN = "whose size is known only when it runs"
REFUSED: dict[Callable[[], ModelProto], str] = {
    computed_sides: TOO_MUCH,
    sides_told_wrong: TOO_MUCH,
    grown_in_steps: TOO_MUCH,
    many_sides: TOO_MUCH,
    kernel_of_columns: TOO_MUCH,
    product_of_all: TOO_MUCH,
    from_the_image: UNKNOWN,
    picked_pixels: UNKNOWN,
    drawn: UNKNOWN,
}


@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form.__name__)
def test_what_would_take_too_much_does_not_run(form: Callable[[], ModelProto], tmp_path: Path) -> None:
    file = opened_foreign(save(form(), tmp_path / "theirs.onnx"))
    with pytest.raises(ModelError, match=REFUSED[form]) as caught:
        check_cost(file, SIZE, file.outputs[0])
    assert caught.value.fix


def test_what_an_output_is_not_made_of_costs_nothing(tmp_path: Path) -> None:
    model = computed_sides()
    scores = next(node for node in reversed(model.graph.node) if node.op_type == "Conv").output[0]
    file = opened_foreign(save(model, tmp_path / "theirs.onnx"))
    check_cost(file, SIZE, scores)
    session = ForeignSession(file, found_tail(file.model.graph, scores, 17))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert session(np.zeros((*SIZE, 3), np.uint8), Normalization()).scores.shape == (CLASSES, 8, 12)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 1 << 20  # kilobytes: its 2^30 floats take 4 GB


def test_layers_whose_shapes_onnx_does_not_infer(tmp_path: Path) -> None:
    sketch = Sketch(opset=21)
    parts = [sketch.constant(np.ones(CLASSES)), sketch.constant(np.zeros(CLASSES))]
    scores = sketch.add("GroupNormalization", network(sketch, "input"), *parts, num_groups=1)
    path = tmp_path / "theirs.onnx"
    path.write_bytes(sketch.model(OPEN, "input", scores).SerializeToString())
    check_cost(opened_foreign(path), SIZE, scores)


def test_many_sizes_that_follow_from_one_another(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    for _ in range(120):
        sides = sketch.add("Slice", sketch.add("Shape", scores), *(sketch.constant([at], np.int64) for at in (2, 4, 0)))
        floats = sketch.add("Mul", sketch.add("Cast", sides, to=TensorProto.FLOAT), sketch.constant([1.0, 1.0]))
        whole = sketch.add("Concat", sketch.constant([1, CLASSES], np.int64), integers(sketch, floats), axis=0)
        scores = sketch.add("Resize", scores, "", "", whole, mode="nearest")
    file = opened_foreign(save(sketch.model(OPEN, "input", scores), tmp_path / "theirs.onnx"))
    check_cost(file, SIZE, scores)


def integers(sketch: Sketch, floats: str) -> str:
    return sketch.add("Cast", sketch.add("Floor", floats), to=TensorProto.INT64)


def scaled_by_two(sketch: Sketch, planes: str) -> str:
    """Upsampling as PyTorch wrote it before opset 11's sizes could be multiplied: in floating point, and cut off."""
    sides = sketch.add("Slice", sketch.add("Shape", planes), *(sketch.constant([at], np.int64) for at in (2, 4, 0)))
    floats = sketch.add("Mul", sketch.add("Cast", sides, to=TensorProto.FLOAT), sketch.constant([2.0, 2.0]))
    whole = sketch.add("Concat", sketch.constant([1, CLASSES], np.int64), integers(sketch, floats), axis=0)
    return sketch.add("Resize", planes, "", "", whole, mode="nearest")


def test_sizes_that_are_computed_in_floating_point_are_followed(tmp_path: Path) -> None:
    sketch = Sketch()
    scores = network(sketch, "input")
    for _ in range(3):
        scores = scaled_by_two(sketch, scores)
    file = opened_foreign(save(sketch.model(OPEN, "input", scores), tmp_path / "theirs.onnx"))
    for size in ((64, 96), (72, 120)):
        check_cost(file, size, scores)
    with pytest.raises(ModelError, match=TOO_MUCH):
        check_cost(file, (1 << 14, 1 << 14), scores)


def test_sizes_that_contradict_one_another(tmp_path: Path) -> None:
    sketch = Sketch()
    pooled = sketch.add("AveragePool", network(sketch, "input"), kernel_shape=[17, 17])
    file = opened_foreign(save(sketch.model(OPEN, "input", pooled), tmp_path / "theirs.onnx"))
    check_cost(file, (256, 256), pooled)
    sketch.add("Add", "input", sketch.constant(np.zeros((1, 3, 10, 10))), name="sum")
    file = opened_foreign(save(sketch.model(OPEN, "input", "sum"), tmp_path / "theirs.onnx"))
    with pytest.raises(ModelError, match="shapes that do not fit together for an image of 64x96") as caught:
        check_cost(file, SIZE, "sum")
    assert "--size" in caught.value.fix
