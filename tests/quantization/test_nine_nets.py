"""Every encoder with every decoder, both heads, at sizes other than the one that was traced."""

from __future__ import annotations

import copy
from pathlib import Path

import onnx
import pytest

pytest.importorskip("torch")

import torch

from fcn_edge.export.parity import Parity, parity_of_onnx
from fcn_edge.export.rewrite import add_labels_head, set_spec
from fcn_edge.export.torch_network import OPERATORS, own_network
from fcn_edge.nets import encoders
from fcn_edge.nets.fcn import FCN

from ..exported_networks import CLASSES, ENCODERS, Exported

SIZES = [(96, 160), (160, 96)]


def test_no_encoder_is_left_out() -> None:
    assert list(ENCODERS) == list(encoders.ENCODERS)


def check(parity: Parity) -> None:
    assert len(parity.classes) >= 5
    assert parity.label_agreement >= 0.9995
    assert parity.max_abs_diff < 1e-3


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scores_are_those_of_torch(exported: Exported, images_of_size, size) -> None:
    check(parity_of_onnx(exported.path, exported.network, images_of_size((90, 150)), size=size))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_labels_are_those_of_torch(exported: Exported, images_of_size, size, tmp_path: Path) -> None:
    model = onnx.load_model(exported.path)
    add_labels_head(model, exported.spec)
    set_spec(model, exported.spec.replace(head="labels"))
    path = tmp_path / "labels.onnx"
    onnx.save_model(model, path)
    try:
        check(parity_of_onnx(path, exported.network, images_of_size((90, 150)), size=size))
    finally:
        path.unlink()  # pytest keeps what lies in tmp_path


def test_masks_depend_on_every_score_layer(exported: Exported, images_of_size) -> None:
    images = images_of_size((96, 160))[:1]
    layers = [name for name, _ in exported.net.named_modules() if ".score" in name]
    assert len(layers) == {32: 1, 16: 2, 8: 3}[exported.spec.stride]
    for layer in layers:
        other = without(exported.net, layer)
        assert parity_of_onnx(exported.path, own_network(other, exported.spec), images).label_agreement < 0.95


def without(net: FCN, layer: str) -> FCN:
    """The network with a layer that gives zeros; everything else is shared."""
    other = copy.copy(net)
    other._modules = {**net._modules, "decoders": copy.deepcopy(net.decoders)}
    for parameter in other.get_submodule(layer).parameters():
        torch.nn.init.zeros_(parameter)
    return other


def test_graph_is_clean_and_open_in_height_and_width(exported: Exported) -> None:
    model = onnx.load_model(exported.path)
    graph = model.graph
    assert {node.op_type for node in graph.node} <= OPERATORS
    assert [entry.version for entry in model.opset_import] == [20]
    assert not model.functions
    [image], [scores] = graph.input, graph.output
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert dims(image) == ["32*h", "32*w", 3]
    factor = {32: "", 16: "2*", 8: "4*"}[exported.spec.stride]
    assert (scores.name, scores.type.tensor_type.elem_type) == ("scores", onnx.TensorProto.FLOAT)
    assert dims(scores) == [CLASSES, f"{factor}h", f"{factor}w"]
    for node in graph.node:
        if node.op_type == "Resize":
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            assert attributes["mode"] == b"linear"
            assert attributes["coordinate_transformation_mode"] == b"half_pixel"
            assert len(node.input) == 3  # by scales, not by sizes


def dims(value: onnx.ValueInfoProto) -> list[str | int]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_convolutions_and_weights_bear_the_names_of_their_layers(exported: Exported) -> None:
    graph = onnx.load_model(exported.path).graph
    layers = {name for name, module in exported.net.named_modules() if isinstance(module, torch.nn.Conv2d)}
    own = {name.replace(f"decoders.{exported.spec.decoder}", "decoder") for name in layers}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert {node.name for node in convolutions} == own
    for node in convolutions:
        assert list(node.input[1:]) == [f"{node.name}.weight", f"{node.name}.bias"]
        assert list(node.output) == [node.name]
