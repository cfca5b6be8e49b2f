"""Graphs of one node, as ONNX files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.tensorrt.dla import DlaReport, dla_report

SIZE = (64, 96)
Report = Callable[..., DlaReport]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Reports on an image of 64x96 that is cast, transposed, given a batch axis and put through nodes."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper, floats = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT

    def made(
        nodes: Sequence[Any], weights: dict[str, Any] | None = None, channels: int = 3, size: tuple[int, int] = SIZE
    ) -> DlaReport:
        # nodes take "x" and the last one gives "y"
        tensors = {"batch_axis": np.array([0]), **(weights or {})}
        begin = [
            helper.make_node("Cast", ["image"], ["floats"], to=floats),
            helper.make_node("Transpose", ["floats"], ["planes"], perm=[2, 0, 1]),
            helper.make_node("Unsqueeze", ["planes", "batch_axis"], ["three"]),
        ]
        if channels == 3:
            begin.append(helper.make_node("Relu", ["three"], ["x"], name="first"))
        else:
            tensors["lift"] = np.zeros((channels, 3, 1, 1), np.float32)
            begin.append(helper.make_node("Conv", ["three", "lift"], ["x"], name="first"))
        graph = helper.make_graph(
            [*begin, *nodes],
            "one",
            [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["h", "w", 3])],
            [helper.make_tensor_value_info("y", floats, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
        )
        path = tmp_path / "m.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
        return dla_report(path, size)

    return made
