from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper, save

from fcn_edge.artifacts.onnx_precisions import float32_islands

FLOAT, HALF = int(TensorProto.FLOAT), int(TensorProto.FLOAT16)


def written(path: Path, nodes: list[Any], **weights: Any) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [4, 4, 3])],
        [helper.make_tensor_value_info("scores", FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


def node(operator: str, inputs: str, output: str, **how: Any) -> Any:
    return helper.make_node(operator, inputs.split(), [output], name=output, **how)


def test_nodes_that_give_float32_in_an_fp16_graph(tmp_path: Path) -> None:
    half = np.float16(1)
    path = written(
        tmp_path / "m.onnx",
        [
            node("Cast", "image", "halves", to=HALF),
            node("Mul", "halves factor", "scaled"),
            node("QuantizeLinear", "scaled step zero", "small"),
            node("DequantizeLinear", "small step zero", "rounded"),
            node("Relu", "rounded", "positive"),
            node("Cast", "positive", "wide", to=FLOAT),
            node("Add", "wide wide", "sum"),
            node("Shape", "sum", "sizes"),
            node("ConstantOfShape", "sizes", "zeros"),
            node("Constant", "", "two", value_float=2.0),
            node("Greater", "sum two", "large"),
            node("Where", "large sum zeros", "cut"),
            node("Constant", "", "weight", value=numpy_helper.from_array(half)),
            node("CastLike", "cut weight", "narrow"),
            node("Mul", "narrow weight", "last"),
            node("Cast", "last", "scores", to=FLOAT),
        ],
        factor=half,
        step=half,
        zero=np.int8(0),
    )
    assert float32_islands(path) == {"sum", "cut"}


def test_a_graph_without_fp16_has_no_islands(tmp_path: Path) -> None:
    nodes = [node("Cast", "image", "floats", to=FLOAT), node("Relu", "floats", "scores")]
    assert float32_islands(written(tmp_path / "m.onnx", nodes)) == frozenset()
