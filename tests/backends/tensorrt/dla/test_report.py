from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.backends.tensorrt.dla import DlaReport, dla_report
from fcn_edge.backends.tensorrt.dla.report import MOST_PIECES
from tests.typed_network import TypedNetwork

SIZE = (64, 96)


def test_the_shipped_fcn_8s() -> None:
    model = resolved_model("camvid-mobilenet_v2-fcn8s")
    report = dla_report(model.path, (480, 640))
    assert [layer.operator for layer in report.layers if not layer.taken] == [
        "Cast",
        "Transpose",
        "Unsqueeze",
        "Squeeze",
    ]
    assert (report.taken, len(report.layers), report.macs_share, report.pieces) == (105, 109, 1.0, 1)


def test_its_multiplications_are_those_of_the_onnx_package() -> None:
    pytest.importorskip("onnx")
    from fcn_edge.quantization.complexity import gmacs_of

    model = resolved_model("camvid-mobilenet_v2-fcn8s")
    for size in ((480, 640), (512, 1024)):
        macs = sum(layer.macs for layer in dla_report(model.path, size).layers)
        assert round(macs / 1e9, 4) == gmacs_of(model, size)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_float_graphs(tmp_path: Path, precision: str) -> None:
    pytest.importorskip("onnx")
    report = dla_report(TypedNetwork(precision).write(tmp_path / "m.onnx"), SIZE)
    macs = {layer.name: layer.macs for layer in report.layers if layer.macs}
    assert macs == TypedNetwork.MACS
    assert report.macs_share == 1.0
    assert {layer.operator for layer in report.layers if not layer.taken} == {
        "Cast",
        "Transpose",
        "Unsqueeze",
        "Squeeze",
    }


def test_what_is_quantized_explicitly_is_not_taken(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    report = dla_report(TypedNetwork("int8").write(tmp_path / "m.onnx"), SIZE)
    against = {layer.name: layer.reason for layer in report.layers}
    for name in ("stem.q", "stem.dq", "stem", "body.q", "body.dq", "body"):
        assert against[name].startswith("explicit quantization (Q/DQ pairs)"), name
    assert (against["depthwise"], against["head"]) == ("", "")
    assert not [name for name in against if name.endswith(".kernel")], "weights are folded"
    macs = TypedNetwork.MACS
    assert report.macs_share == pytest.approx((macs["depthwise"] + macs["head"]) / sum(macs.values()))


def test_pieces_hang_together_and_do_not_wait_for_each_other(report: Callable[..., DlaReport]) -> None:
    onnx = pytest.importorskip("onnx")

    def node(operator: str, inputs: list[str], output: str) -> Any:
        return onnx.helper.make_node(operator, inputs, [output])

    # both branches of one piece: nothing of the GPU is between them
    assert report([node("Relu", ["x"], "a"), node("Tanh", ["x"], "b"), node("Add", ["a", "b"], "y")]).pieces == 1
    # the sum waits for the GPU, which waits for what is before: two pieces, although a edge leads from one to the other
    assert report([node("Relu", ["x"], "a"), node("Neg", ["a"], "b"), node("Add", ["a", "b"], "y")]).pieces == 2
    chain = []
    for number in range(20):
        name = "x" if not number else f"b{number - 1}"
        chain += [node("Neg", [name], f"a{number}"), node("Relu", [f"a{number}"], f"b{number}")]
    several = report([*chain, node("Relu", ["b19"], "y")])
    assert several.pieces == 21 > MOST_PIECES


def test_identities_are_no_layers(report: Callable[..., DlaReport]) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [onnx.helper.make_node("Identity", ["x"], ["a"]), onnx.helper.make_node("Relu", ["a"], ["y"], name="Relu")]
    told = report(nodes)
    assert [layer.operator for layer in told.layers] == ["Cast", "Transpose", "Unsqueeze", "Relu", "Relu"]
    assert told.pieces == 1


def test_sizes_that_the_file_does_not_tell_are_said_to_be_unknown(report: Callable[..., DlaReport]) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [
        onnx.helper.make_node("NonZero", ["x"], ["where"]),
        onnx.helper.make_node("Relu", ["where"], ["y"], name="last"),
    ]
    assert {layer.name: layer.reason for layer in report(nodes).layers}["last"] == "its sizes are not told by the file"


def test_an_output_that_is_left_out_gives_nothing_to_an_input_that_is(report: Callable[..., DlaReport]) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [
        onnx.helper.make_node("Neg", ["x"], ["a"]),
        onnx.helper.make_node("MaxPool", ["a"], ["b", ""], kernel_shape=[2, 2]),
        onnx.helper.make_node("Neg", ["x"], ["c"]),
        onnx.helper.make_node("Resize", ["c", "", "twice"], ["y"], mode="linear"),
    ]
    told = report(nodes, {"twice": np.array([1, 1, 2, 2], "f4")})
    assert [layer.taken for layer in told.layers[3:]] == [True, False, True, False, True]
    assert told.pieces == 3


def test_multiplications_of_a_turned_matrix(report: Callable[..., DlaReport]) -> None:
    onnx = pytest.importorskip("onnx")
    nodes = [
        onnx.helper.make_node("Flatten", ["x"], ["flat"], axis=-1),
        onnx.helper.make_node("Gemm", ["flat", "w"], ["y"], name="g", transA=1),
    ]
    told = report(nodes, {"w": np.zeros((3 * 64, 5), "f4")})
    assert {layer.name: layer.macs for layer in told.layers}["g"] == 96 * 3 * 64 * 5


def test_json_has_each_layer(report: Callable[..., DlaReport]) -> None:
    onnx = pytest.importorskip("onnx")
    told = report([onnx.helper.make_node("Conv", ["x", "w"], ["y"], name="c")], {"w": np.zeros((8, 3, 1, 1), "f4")})
    content = told.to_json()
    assert content["layers"][-1] == {
        "name": "c",
        "operator": "Conv",
        "macs": 8 * 3 * 64 * 96,
        "taken": True,
        "reason": "",
    }
    assert (content["size"], content["taken"], content["of"], content["pieces"]) == ([64, 96], 2, 5, 1)
    assert content["macs_share"] == 1.0
