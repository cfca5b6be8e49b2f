from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.onnx_graph import UINT8, check_batch, check_size, checked_graph, graph_of_onnx
from fcn_edge.errors import ModelError, UsageError

onnx = pytest.importorskip("onnx")

Write = Callable[..., Any]


def test_graph_is_what_the_onnx_package_says(tiny: Any) -> None:
    model = onnx.load(tiny.path)
    graph = graph_of_onnx(tiny.path)
    assert graph.opset == model.opset_import[0].version
    assert [value.name for value in graph.inputs] == ["image"]
    assert graph.inputs[0].element == UINT8 == onnx.TensorProto.UINT8
    assert graph.inputs[0].shape == ("32*h", "32*w", 3)
    assert graph.outputs[0].element == onnx.TensorProto.FLOAT
    assert graph.outputs[0].shape == (1, 11, "4*h", "4*w")
    assert graph.operators == {
        kind: [node.op_type for node in model.graph.node].count(kind)
        for kind in ("Cast", "Transpose", "Unsqueeze", "Sub", "Div", "Conv", "Identity")
    }
    assert not graph.external


def test_parameters_are_the_weights_and_not_the_shapes(tiny: Any) -> None:
    # the convolution, its bias, three numbers each of mean and std, four of the scale
    assert graph_of_onnx(tiny.path).parameters == tiny.weight.size + tiny.bias.size + 3 + 3 + 4


def test_weights_among_the_inputs_are_no_inputs(tmp_path: Path, tiny_network: Write) -> None:
    network = tiny_network(tmp_path / "old.onnx")
    model = onnx.load(network.path)
    weight = onnx.helper.make_tensor_value_info("weight", onnx.TensorProto.FLOAT, [11, 3, 8, 8])
    model.graph.input.insert(0, weight)
    onnx.save(model, network.path)
    assert [value.name for value in checked_graph(network.path).inputs] == ["image"]


def test_operators_of_other_domains_do_not_set_the_opset(tmp_path: Path, tiny_network: Write) -> None:
    network = tiny_network(tmp_path / "m.onnx")
    model = onnx.load(network.path)
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 3))
    onnx.save(model, network.path)
    assert graph_of_onnx(network.path).opset == 20


def test_shape_without_names_is_open(tmp_path: Path) -> None:
    helper, kinds = onnx.helper, onnx.TensorProto
    image = helper.make_tensor_value_info("image", kinds.UINT8, [None, None, 3])
    node = helper.make_node("Cast", ["image"], ["out"], to=kinds.FLOAT)
    graph = helper.make_graph([node], "g", [image], [helper.make_tensor_value_info("out", kinds.FLOAT, None)])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    found = checked_graph(tmp_path / "m.onnx")
    assert found.inputs[0].shape == ("", "", 3)
    assert found.outputs[0].shape == ()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("FLOAT", ["h", "w", 3]), ("UINT8", [1, 3, "h", "w"]), ("UINT8", ["h", "w", 4]), ("UINT8", ["h", "w", "c"])],
    ids=["floats", "planes", "alpha", "any channels"],
)
def test_graphs_that_take_no_image_are_refused(tmp_path: Path, kind: str, shape: list[Any]) -> None:
    helper, kinds = onnx.helper, onnx.TensorProto
    image = helper.make_tensor_value_info("image", getattr(kinds, kind), shape)
    node = helper.make_node("Cast", ["image"], ["out"], to=kinds.FLOAT)
    graph = helper.make_graph([node], "g", [image], [helper.make_tensor_value_info("out", kinds.FLOAT, None)])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="does not take one uint8 image"):
        checked_graph(tmp_path / "m.onnx")


def test_size_must_be_the_graph_s_where_that_is_fixed(tmp_path: Path, tiny_network: Write) -> None:
    free, fixed = tiny_network(tmp_path / "free.onnx"), tiny_network(tmp_path / "fixed.onnx", fixed=True)
    check_size(free.path, checked_graph(free.path), (32, 320))
    check_size(fixed.path, checked_graph(fixed.path), (64, 96))
    with pytest.raises(UsageError, match=r"fixed\.onnx takes 64x96 images .* 64x128 was asked for"):
        check_size(fixed.path, checked_graph(fixed.path), (64, 128))


def test_weights_in_another_file_are_seen(tmp_path: Path, tiny_network: Write) -> None:
    network = tiny_network(tmp_path / "m.onnx")
    onnx.save(onnx.load(network.path), network.path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert graph_of_onnx(network.path).external


@pytest.mark.parametrize("content", [b"", b"\x00", b"junk" * 50, b"\x08\x08", b"\x8a\x04" + bytes(100)])
def test_what_is_no_onnx_file_is_a_model_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="not an ONNX file"):
        graph_of_onnx(tmp_path / "m.onnx")


def test_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model file"):
        graph_of_onnx(tmp_path / "none.onnx")


def test_no_damage_makes_another_error(tmp_path: Path, tiny: Any) -> None:
    whole = tiny.path.read_bytes()
    path = tmp_path / "m.onnx"
    chance = random.Random(1)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 5)):
            damaged[chance.randrange(1000)] = chance.randrange(256)
        path.write_bytes(damaged[: chance.choice([len(whole), len(whole), chance.randrange(1, len(whole))])])
        try:
            graph_of_onnx(path)
        except ModelError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("dims", [[2**40, 2**40], [11, 3, 8, 9], [-11, -3, 8, 8], [0], []])
def test_weights_have_as_many_values_as_their_shape_says(tmp_path: Path, tiny_network: Write, dims: list[int]) -> None:
    network = tiny_network(tmp_path / "m.onnx")
    model = onnx.load(network.path)
    for tensor in model.graph.initializer:
        if tensor.name == "weight":
            tensor.dims[:] = dims
    network.path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="is damaged: weight h"):
        graph_of_onnx(network.path)


def image_graph(path: Path, shape: list[Any]) -> Path:
    helper, kinds = onnx.helper, onnx.TensorProto
    image = helper.make_tensor_value_info("image", kinds.UINT8, shape)
    node = helper.make_node("Cast", ["image"], ["out"], to=kinds.FLOAT)
    graph = helper.make_graph([node], "g", [image], [helper.make_tensor_value_info("out", kinds.FLOAT, None)])
    onnx.save(helper.make_model(graph), path)
    return path


def test_several_images_are_for_backends_that_take_several(tmp_path: Path) -> None:
    path = image_graph(tmp_path / "m.onnx", [4, "32*h", 96, 3])
    graph = checked_graph(path, batches=True)
    assert (graph.batch, graph.sides) == (4, ("32*h", 96))
    check_size(path, graph, (64, 96))
    check_batch(path, graph, 4)
    with pytest.raises(UsageError, match="64x128 was asked for"):
        check_size(path, graph, (64, 128))
    with pytest.raises(UsageError, match="takes 4 images at once; 2 was asked for"):
        check_batch(path, graph, 2)
    with pytest.raises(ModelError, match="takes 4 images at once; a graph that takes one was expected"):
        checked_graph(path)


@pytest.mark.parametrize("shape", [[1, "h", "w", 3], ["n", "h", "w", 3], [4, 3, "h", "w"], [2, 2, "h", "w", 3]])
def test_batches_of_no_fixed_number_are_refused(tmp_path: Path, shape: list[Any]) -> None:
    path = image_graph(tmp_path / "m.onnx", shape)
    with pytest.raises(ModelError, match="does not take one uint8 image"):
        checked_graph(path, batches=True)


def test_weights_of_very_many_dimensions_are_damage(tmp_path: Path, tiny_network: Write) -> None:
    network = tiny_network(tmp_path / "deep.onnx")
    model = onnx.load(network.path)
    tensor = model.graph.initializer.add(name="deep", data_type=1, raw_data=bytes(4))
    tensor.dims.extend([2**62] * 100_000)
    onnx.save(model, network.path)
    with pytest.raises(ModelError, match="not an ONNX file, or is cut off"):
        graph_of_onnx(network.path)
