"""What is refused of ONNX files before another library sees them: each a file that crashed, hung or filled memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts import onnx_header, onnx_parts, protobuf
from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_graph import graph_of_onnx
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.artifacts.onnx_seal import SEAL_KEY, seal_onnx
from fcn_edge.artifacts.protobuf import bytes_field
from fcn_edge.errors import ModelError

onnx = pytest.importorskip("onnx")

Write = Callable[..., Any]
GRAPH = 7


def looped(model: Any) -> None:
    body = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["more"], ["again"])],
        "body",
        [onnx.helper.make_tensor_value_info(name, kind, []) for name, kind in (("turn", 7), ("more", 9))],
        [onnx.helper.make_tensor_value_info("again", 9, [])],
    )
    turns = onnx.numpy_helper.from_array(np.array(2**62), "turns")
    model.graph.initializer.append(turns)
    model.graph.node.insert(0, onnx.helper.make_node("Loop", ["turns", ""], [], body=body))


def cyclic(model: Any) -> None:
    model.graph.node[1].input[0] = "output"


def backwards(model: Any) -> None:
    nodes = list(reversed(model.graph.node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def given_twice(model: Any) -> None:
    model.graph.node[1].output[0] = model.graph.node[0].output[0]


def with_function(model: Any) -> None:
    model.functions.add(name="twice", domain="own")


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add().dims.append(3)


def others_operator(model: Any) -> None:
    model.graph.node[1].domain = "com.example"


def beside(model: Any) -> None:
    weight = next(each for each in model.graph.initializer if each.name == "weight")
    weight.ClearField("raw_data")
    weight.data_location = 1
    weight.external_data.add(key="location", value="weights.bin")


def beside_in_a_constant(model: Any) -> None:
    node = onnx.helper.make_node("Constant", [], ["more"], value=onnx.numpy_helper.from_array(np.zeros(2), "v"))
    node.attribute[0].t.ClearField("raw_data")
    node.attribute[0].t.data_location = 1
    model.graph.node.insert(0, node)


def asks_for_400_gb(model: Any) -> None:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([100_000, 1000, 1000]), "large"))
    model.graph.node.insert(0, onnx.helper.make_node("ConstantOfShape", ["large"], ["filled"]))


def asks_for_400_gb_in_plain_numbers(model: Any) -> None:
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["large"], value_ints=[100_000, 1000, 1000]))
    model.graph.node.insert(1, onnx.helper.make_node("ConstantOfShape", ["large"], ["filled"]))


def beside_in_the_first_of_two_values(model: Any) -> None:
    """ONNX Runtime 1.32 reads the first, and with it the other file."""
    beside_in_a_constant(model)
    inside = onnx.numpy_helper.from_array(np.zeros(2), "v")
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("value", inside))


def padded(model: Any) -> None:
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    conv.attribute.append(onnx.helper.make_attribute("pads", [2**40] * 4))


def short_bias(model: Any) -> None:
    """Which libraries read beyond its end; its weight is dequantized, as in INT8 graphs."""
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    model.graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", ["int8", "step"], ["float_weight"]))
    conv.input[1:] = ["float_weight", "short"]
    for name, value in (
        ("int8", np.zeros((4, 3, 1, 1), np.int8)),
        ("step", np.array(0.5, np.float32)),
        ("short", np.zeros(3, np.float32)),
    ):
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))


def without_weights(model: Any) -> None:
    """OpenVINO 2026.4 ends the process at it."""
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    del conv.input[1:]


def weights_left_out(model: Any) -> None:
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    conv.input[1] = ""


def wide(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**62


def sequence(model: Any) -> None:
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_sequence_value_info("output", 1, [1]))


def texts(model: Any) -> None:
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.STRING


def missing_output(model: Any) -> None:
    model.graph.output[0].name = "nowhere"


def equal_weights(model: Any) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


def of_the_future(model: Any) -> None:
    model.opset_import[0].version = 2**24  # OpenVINO takes seconds, by the number


def of_a_future_format(model: Any) -> None:
    model.ir_version = 2**40


def of_an_unknown_element(model: Any) -> None:
    model.graph.initializer[0].data_type = 99


def of_two_opsets(model: Any) -> None:
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx", model.opset_import[0].version - 1))


def deep_types(model: Any) -> None:
    kind = model.graph.value_info.add(name="deep").type
    for _ in range(40):
        kind = kind.sequence_type.elem_type
    kind.tensor_type.elem_type = 1


HOSTILE: dict[Callable[[Any], None], str] = {
    looped: "holds Loop with a graph of its own",
    cyclic: "holds Transpose that takes 'output', which nothing before it gives",
    backwards: "which nothing before it gives",
    given_twice: "gives 'floats' twice",
    with_function: "holds functions or training steps",
    sparse: "holds sparse weights",
    others_operator: "holds Transpose of com.example",
    beside: "keeps weights in another file",
    beside_in_a_constant: "keeps weights in another file",
    asks_for_400_gb: "holds ConstantOfShape of a size that no network has",
    asks_for_400_gb_in_plain_numbers: "holds ConstantOfShape of a size that no network has",
    beside_in_the_first_of_two_values: "is damaged: a node of it has two attributes 'value'",
    padded: "holds Conv of a size that no network has",
    short_bias: "holds Conv of 4 channels with a bias of 3; one value a channel was expected",
    without_weights: "holds Conv with too few or too many tensors",
    weights_left_out: "holds Conv with too few or too many tensors",
    wide: "takes an image of 4611686018427387904x.*; sides of 1 to 65536 were expected",
    sequence: "gives neither scores, .* nor labels",
    texts: "gives neither scores, .* nor labels",
    missing_output: "is to give 'nowhere', which no node of it gives",
    equal_weights: "two of its weights have one name",
    of_the_future: "is of opset 16777216; 1000 at most was expected",
    of_a_future_format: "is of format version 1099511627776; 1000 at most was expected",
    of_an_unknown_element: "is of an element type \\(99\\) that ONNX does not have",
    of_two_opsets: "not an ONNX file",
    deep_types: "not an ONNX file",
}


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.__name__)
def test_what_no_network_holds_is_refused_when_it_is_opened(
    tiny: Any, tmp_path: Path, hostile: Callable[[Any], None]
) -> None:
    model = onnx.load(tiny.path)
    hostile(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=HOSTILE[hostile]) as caught:
        resolved_model(path)
    assert caught.value.fix


@pytest.mark.parametrize("extra", [bytes_field(GRAPH, b""), b"\x08\x09"], ids=["graph", "version"])
def test_what_a_model_has_once_comes_once(tiny: Any, tmp_path: Path, extra: bytes) -> None:
    """Protobuf merges two graphs, and other readers take one of them: the digest would cover another network."""
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny.path.read_bytes() + extra)
    for read in (resolved_model, model_digest, graph_of_onnx):
        with pytest.raises(ModelError, match="not an ONNX file"):
            read(path)


def test_fields_of_another_wire_type_are_damage(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny.path.read_bytes() + b"\x70\x01")  # a number where metadata lie
    with pytest.raises(ModelError, match="not an ONNX file"):
        resolved_model(path)


def test_fields_of_a_newer_onnx_are_left_alone(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny.path.read_bytes() + bytes_field(99, b"news"))
    assert resolved_model(path).digest == model_digest(tiny.path)


def test_floods_of_empty_fields_are_refused(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_header, "MOST_PARTS", 100)
    monkeypatch.setattr(onnx_parts, "MOST_NODES", 100)
    monkeypatch.setattr(onnx_parts, "MOST_OTHERS", 100)
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 2000)
    model = onnx.load(tiny.path)
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    rest = model.SerializeToString()
    path = tmp_path / "m.onnx"
    metadata, node, value, inside = b"\x72\x00" * 200, b"\x0a\x00", b"\x6a\x00", bytes_field(4, b"")
    for content, message in (
        (bytes_field(GRAPH, graph) + metadata, "not an ONNX file"),
        (bytes_field(GRAPH, graph + node * 200), "has more than 100 nodes"),
        (bytes_field(GRAPH, graph + value * 200), "not an ONNX file"),
        (bytes_field(GRAPH, graph + bytes_field(13, inside * 3000)), "not an ONNX file"),
    ):
        path.write_bytes(rest + content)
        with pytest.raises(ModelError, match=message):
            resolved_model(path)


def test_a_file_that_is_cut_off_while_it_is_read_is_an_error(tiny: Any, tmp_path: Path) -> None:
    """What ``cp`` over it does; of a mapped file, the process would end."""
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny.path.read_bytes())

    def read_while_it_is_cut_off() -> None:
        with onnx_header.opened_onnx(path) as buffer:
            os.truncate(path, 100)
            list(buffer.blocks(0, len(buffer)))

    with pytest.raises(ModelError, match="is cut off"):
        read_while_it_is_cut_off()


def sealed(tiny: Any, path: Path) -> bytes:
    path.write_bytes(tiny.path.read_bytes())
    seal_onnx(path)
    return path.read_bytes()


def test_a_sealed_file_is_the_same_model(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    content = sealed(tiny, path)
    model = resolved_model(path)
    assert (model.spec, model.digest) == (tiny.spec, model_digest(tiny.path))
    onnx.checker.check_model(path)
    seal_onnx(path)
    assert path.read_bytes() == content, "once is enough"


@pytest.mark.parametrize("part", ["weights", "spec"])
def test_damage_of_a_sealed_file_is_seen(tiny: Any, tmp_path: Path, part: str) -> None:
    path = tmp_path / "m.onnx"
    content = bytearray(sealed(tiny, path))
    at = content.index(tiny.weight.tobytes() if part == "weights" else tiny.spec.name.encode())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="was changed or damaged since it was written") as caught:
        resolved_model(path)
    assert SEAL_KEY in caught.value.fix


def test_other_programs_may_note_something_in_a_sealed_file(tiny: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    sealed(tiny, path)
    model = onnx.load(path)
    model.producer_name = "somebody"
    model.metadata_props.add(key="note", value="of theirs")
    onnx.save(model, path)
    assert resolved_model(path).spec == tiny.spec
