"""What is wrong with a foreign ONNX file is told in one sentence of ours, before it runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fcn_edge.errors import ArtifactError, CheckpointError, FcnEdgeError, ModelError, UsageError
from fcn_edge.export.importers.onnx_file import opened_foreign
from fcn_edge.export.importers.registry import trained_network

from .foreign_exports import IMAGENET, parity_at
from .foreign_forms import bare
from .foreign_graphs import Sketch, network

SIZE = (64, 96)


@cache
def plain_bytes() -> bytes:
    content: bytes = bare(SIZE).SerializeToString()
    return content


def plain() -> ModelProto:
    return ModelProto.FromString(plain_bytes())


def with_input(shape: list[Any], element: int = TensorProto.FLOAT) -> ModelProto:
    model = plain()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("input", element, shape))
    return model


def second_input() -> ModelProto:
    model = plain()
    model.graph.input.append(helper.make_tensor_value_info("size", TensorProto.INT64, [2]))
    return model


def branch() -> ModelProto:
    model = plain()
    inner = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])])
    model.graph.node.append(helper.make_node("If", ["input"], ["what"], then_branch=inner, else_branch=inner))
    return model


def custom() -> ModelProto:
    model = plain()
    model.graph.node.append(helper.make_node("TRT\x1bPlugin", ["input"], ["what"], domain="trt.plugins"))
    return model


def quantized() -> ModelProto:
    model = plain()
    model.graph.node.append(helper.make_node("DequantizeLinear", ["input", "input"], ["what"]))
    return model


def short_weight() -> ModelProto:
    model = plain()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    return model


def diverged(values: list[float] | None = None, *, constant: bool = False) -> ModelProto:
    """The first layer has a weight that is none, by default a NaN that signals, of which every cast warns."""
    model = plain()
    tensor = model.graph.initializer[0]
    array = numpy_helper.to_array(tensor).copy()
    if values is None:
        array.view(np.uint32)[0, 0, 0, 0] = 0x7F800001
    else:
        array[0, 0, 0, : len(values)] = values
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    if constant:
        value = TensorProto()
        value.CopyFrom(tensor)
        del model.graph.initializer[0]
        node = helper.make_node("Constant", [], [value.name], value=value)
        model.graph.node.insert(0, node)
    return model


def huge_weight() -> ModelProto:
    model = plain()
    model.graph.initializer[0].dims[0] = 1 << 40
    return model


def negative_weight() -> ModelProto:
    model = plain()
    model.graph.initializer[0].dims[0] = -8
    return model


def old() -> ModelProto:
    model = plain()
    model.opset_import[0].version = 8
    return model


def newer() -> ModelProto:
    model = plain()
    model.opset_import[0].version = 99
    return model


def sequence() -> ModelProto:
    model = plain()
    model.graph.node.append(helper.make_node("SplitToSequence", ["input"], ["what"]))
    return model


def huge_tensor() -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input")
    many = sketch.add("ConstantOfShape", sketch.constant([1, 7, 1 << 17, 1 << 17], np.int64))
    total = sketch.add("ReduceSum", many, keepdims=1)
    return sketch.model(SIZE, "input", sketch.add("Add", scores, total))


def mask_only() -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input")
    above = sketch.add("Greater", scores, sketch.constant(0.0))
    return sketch.model(SIZE, "input", sketch.add("Cast", above, name="mask", to=TensorProto.UINT8))


def flat() -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input")
    return sketch.model(SIZE, "input", sketch.add("ReduceMean", scores, axes=[2, 3], keepdims=0))


def one_class() -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input")
    return sketch.model(SIZE, "input", sketch.add("ReduceMax", scores, axes=[1], keepdims=1))


def uneven() -> ModelProto:
    sketch = Sketch()
    scores = network(sketch, "input")
    target = sketch.constant([1, 7, 11, 60], np.int64)
    return sketch.model(SIZE, "input", sketch.add("Resize", scores, "", "", target, mode="linear"))


def missing_tensor() -> ModelProto:
    model = plain()
    model.graph.node[0].input[1] = "nowhere"
    return model


WRONG: dict[Callable[[], ModelProto], tuple[type[FcnEdgeError], str]] = {
    second_input: (ModelError, "takes 2 inputs; one image"),
    branch: (ModelError, "holds If with a graph of its own"),
    custom: (ModelError, r"holds TRT\\x1bPlugin of trt.plugins"),
    quantized: (ModelError, "is quantized already"),
    short_weight: (ModelError, "is damaged: backbone.0.weight holds 860 bytes, not as many as its shape says"),
    diverged: (ModelError, r"holds NaN or infinity in backbone\.0\.weight"),
    lambda: diverged([float("inf")]): (ModelError, r"holds NaN or infinity in backbone\.0\.weight"),
    lambda: diverged(constant=True): (ModelError, r"holds NaN or infinity in backbone\.0\.weight"),
    huge_weight: (ModelError, "is damaged: backbone.0.weight holds"),
    negative_weight: (ModelError, "is damaged: backbone.0.weight has a negative length"),
    old: (ModelError, "is of opset 8; 9 or newer"),
    huge_tensor: (ModelError, "computes more than 536870912 values in one tensor"),
    mask_only: (ModelError, r"gives 1x7x8x12 uint8 values where class scores"),
    flat: (ModelError, "gives 1x7 float32 values where class scores"),
    one_class: (CheckpointError, "scores 1 class; 2 to 255"),
    uneven: (ModelError, "gives 11x60 scores for an image of 64x96; a grid"),
    missing_tensor: (ModelError, "holds Conv that takes 'nowhere', which nothing before it gives"),
    lambda: with_input([1, 4, 64, 96]): (ModelError, "takes 1x4x64x96; one image"),
    lambda: with_input([3, 64, 96]): (ModelError, "takes 3x64x96; one image"),
    lambda: with_input([8, 3, 64, 96]): (ModelError, "takes 8x3x64x96; one image .* with a batch of 1"),
    lambda: with_input([1, 3, 64, "w"]): (ModelError, r"takes images of 64x\?: only one"),
    lambda: with_input([1, 3, 64, 96], TensorProto.INT8): (ModelError, "another type than float32 and uint8"),
    newer: (ModelError, "is of opset 99; the onnx package .* knows"),
    sequence: (ModelError, "holds SplitToSequence; only tensors"),
}


@pytest.mark.parametrize("form", WRONG, ids=lambda form: form.__name__)
def test_what_is_not_taken(form: Callable[[], ModelProto], tmp_path: Path) -> None:
    kind, message = WRONG[form]
    path = tmp_path / "theirs.onnx"
    path.write_bytes(form().SerializeToString())
    with pytest.raises(kind, match=message) as caught:
        trained_network(path, IMAGENET)
    assert caught.value.fix
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x02ctorch", b"\x08" * 100, b"<html>" * 50], ids=str)
def test_what_is_no_onnx_file(content: bytes, tmp_path: Path) -> None:
    if content.startswith(b"\x80"):
        pytest.importorskip("torch", reason="a pickle is a checkpoint, whatever it is called")
    path = tmp_path / "theirs.onnx"
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        trained_network(path, IMAGENET)
    with pytest.raises(ArtifactError):
        trained_network(tmp_path / "missing.onnx", IMAGENET)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_ends_early(share: float, tmp_path: Path) -> None:
    content = plain().SerializeToString()
    path = tmp_path / "theirs.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ArtifactError):
        trained_network(path, IMAGENET)


def outside(folder: Path) -> Path:
    """A file with its weights beside it."""
    path = folder / "theirs.onnx"
    onnx.save_model(plain(), path, save_as_external_data=True, location="theirs.data", size_threshold=0)
    return path


def test_weights_beside_the_file(tmp_path: Path) -> None:
    path = outside(tmp_path)
    assert path.stat().st_size < 4000
    found = opened_foreign(path)
    wanted = {each.name: numpy_helper.to_array(each) for each in plain().graph.initializer}
    for tensor in found.model.graph.initializer:
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), wanted[tensor.name])
    assert parity_at(trained_network(path, IMAGENET), tmp_path / "ours.onnx", SIZE).label_agreement == 1.0


def test_weights_beside_the_file_by_their_path(tmp_path: Path) -> None:
    path = outside(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = entry.value.replace("theirs.data", "./theirs.data")
    path.write_bytes(model.SerializeToString())
    kept = opened_foreign(path).model.graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(kept), numpy_helper.to_array(plain().graph.initializer[0]))


@pytest.mark.parametrize(
    ("element", "data"),
    [
        ("FLOAT", "float_data"),
        ("DOUBLE", "double_data"),
        ("INT64", "int64_data"),
        ("INT32", "int32_data"),
        ("INT8", "int32_data"),
        ("UINT8", "int32_data"),
        ("BOOL", "int32_data"),
        ("FLOAT16", "int32_data"),
    ],
)
def test_values_that_are_no_bytes_are_counted(element: str, data: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs.onnx"
    for count in (24, 23, 25, 0):
        model = plain()
        extra = model.graph.initializer.add(name="extra", data_type=TensorProto.DataType.Value(element), dims=[2, 3, 4])
        getattr(extra, data).extend([1] * count)
        path.write_bytes(model.SerializeToString())
        if count == 24:
            opened_foreign(path)
            continue
        with pytest.raises(ModelError, match=f"is damaged: extra holds {count} values, not as many as its shape says"):
            opened_foreign(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("location", "../theirs.data"),
        ("location", "./../theirs.data"),
        ("location", "./in/theirs.data"),
        ("location", ".//etc/passwd"),
        ("location", "./"),
        ("location", "/etc/passwd"),
        ("location", "link.data"),
        ("location", "missing.data"),
        ("location", ""),
        ("offset", "99999999"),
        ("offset", "0000000000000000"),
        ("offset", "99999999999999999999"),
        ("offset", "-1"),
        ("length", "12"),
        ("length", "864x"),
    ],
)
def test_weights_that_are_not_beside_the_file(key: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = outside(tmp_path / "in")
    (tmp_path / "theirs.data").write_bytes((tmp_path / "in" / "theirs.data").read_bytes())
    (tmp_path / "in" / "link.data").symlink_to(tmp_path / "theirs.data")
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == key:
            entry.value = value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"keeps weights in|expects 864 bytes"):
        trained_network(path, IMAGENET)


def test_a_pointer_in_the_place_of_the_weights(tmp_path: Path) -> None:
    path = outside(tmp_path)
    (tmp_path / "theirs.data").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 864\n")
    with pytest.raises(ModelError, match=r"theirs\.data is a Git LFS pointer") as caught:
        opened_foreign(path)
    assert "git lfs pull" in caught.value.fix


def test_links_into_one_folder_are_followed(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    path = outside(tmp_path / "blobs")
    link = tmp_path / "snapshot" / "theirs.onnx"
    link.symlink_to(path.rename(tmp_path / "blobs" / "0a1b"))
    weights = tmp_path / "snapshot" / "theirs.data"
    weights.symlink_to((tmp_path / "blobs" / "theirs.data").rename(tmp_path / "blobs" / "2c3d"))
    assert len(opened_foreign(link).model.graph.initializer) == len(plain().graph.initializer)
    weights.unlink()
    (tmp_path / "blobs" / "2c3d").rename(tmp_path / "theirs.data")
    weights.symlink_to(tmp_path / "theirs.data")
    with pytest.raises(ModelError, match="a link to another folder") as caught:
        opened_foreign(link)
    assert "not their links" in caught.value.fix


def test_weights_among_the_inputs_of_older_files(tmp_path: Path) -> None:
    model = plain()
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    path = tmp_path / "theirs.onnx"
    path.write_bytes(model.SerializeToString())
    assert parity_at(trained_network(path, IMAGENET), tmp_path / "ours.onnx", SIZE).label_agreement == 1.0


def test_outputs_that_say_neither_type_nor_shape(tmp_path: Path) -> None:
    model = plain()
    model.graph.output[0].ClearField("type")
    path = tmp_path / "theirs.onnx"
    path.write_bytes(model.SerializeToString())
    assert parity_at(trained_network(path, IMAGENET), tmp_path / "ours.onnx", SIZE).label_agreement == 1.0


def test_a_model_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.onnx"
    path.write_bytes(plain().SerializeToString())
    parity_at(trained_network(path, IMAGENET), tmp_path / "ours.onnx", SIZE)
    with pytest.raises(UsageError, match="is a model of fcn_edge already"):
        trained_network(tmp_path / "ours.onnx", IMAGENET)
