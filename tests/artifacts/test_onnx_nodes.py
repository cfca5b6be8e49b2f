from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.onnx_header import opened_onnx
from fcn_edge.artifacts.onnx_parts import GraphParts, graph_parts

onnx = pytest.importorskip("onnx")


def parts_of(path: Path, nodes: list[Any], weights: list[Any]) -> GraphParts:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 4, 4])
    graph = onnx.helper.make_graph(nodes, "g", [value], [], weights)
    onnx.save(onnx.helper.make_model(graph), path)
    with opened_onnx(path) as buffer:
        return graph_parts(buffer)


def test_names_and_short_words_are_read(tmp_path: Path) -> None:
    how = {"mode": "linear", "long": "w" * 65, "bytes": b"\xff", "antialias": 0}
    node = onnx.helper.make_node("Resize", ["x", "", "s"], ["y"], name="up", **how)
    (read,) = parts_of(tmp_path / "m.onnx", [node], []).nodes
    assert read.name == "up"
    assert read.texts == {"mode": "linear", "bytes": "\N{REPLACEMENT CHARACTER}"}
    assert read.numbers == {"antialias": (0,)}


@pytest.mark.parametrize("raw", [True, False])
def test_small_tensors_of_float16_are_read(tmp_path: Path, raw: bool) -> None:
    values = np.array([0, 6, -0.5, 65504], np.float16)
    if raw:
        tensor = onnx.numpy_helper.from_array(values, "t")
    else:
        tensor = onnx.helper.make_tensor("t", onnx.TensorProto.FLOAT16, [4], values.astype(np.float32))
        assert not tensor.HasField("raw_data")
    (read,) = parts_of(tmp_path / "m.onnx", [], [tensor]).weights
    assert read.values == (0, 6, -0.5, 65504)
