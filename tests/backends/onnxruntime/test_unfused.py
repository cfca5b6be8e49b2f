"""Graphs computed as they are written, beside the same graphs fused to integer arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.backends.onnxruntime import library as onnxruntime_library
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime, open_unfused
from fcn_edge.backends.options import RunOptions
from fcn_edge.quantization.profiles import SATURATING
from fcn_edge.system.cpu import instruction_set
from fcn_edge.testing.engine import fake_spec

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

SIZE = (32, 64)
STEP = 2.0**8
"""Step of the quantized scores; all of the network's scales are powers of two, so that float32 rounds nowhere."""
WEIGHTS = np.where(np.random.default_rng(0).random((11, 3, 8, 8)) < 0.8, 127, -127).astype(np.int8)
IMAGE = np.where(np.random.default_rng(1).random((*SIZE, 3)) < 0.9, 255, 0).astype(np.uint8)
"""Most pairs of products are 2 * 255 * 127 = 64770, and 16 bits end at 32767."""


@pytest.fixture
def saturating(tmp_path: Path) -> tuple[Path, ModelSpec]:
    """One convolution of UINT8 by INT8 between Q/DQ pairs, at the extremes of both."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "axis": np.array([0]),
        "one": np.float32(1),
        "low": np.uint8(0),
        "step": np.float32(STEP),
        "weights": WEIGHTS,
        "scales": np.full(11, 2.0**-7, np.float32),
        "zeros": np.zeros(11, np.int8),
        "bias": np.zeros(11, np.int32),
        "bias_zeros": np.zeros(11, np.int32),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        node("Transpose", ["floats"], ["planes"], perm=[2, 0, 1]),
        node("Unsqueeze", ["planes", "axis"], ["batch"]),
        node("QuantizeLinear", ["batch", "one", "low"], ["q"]),
        node("DequantizeLinear", ["q", "one", "low"], ["dq"]),
        node("DequantizeLinear", ["weights", "scales", "zeros"], ["kernel"], axis=0),
        node("DequantizeLinear", ["bias", "scales", "bias_zeros"], ["shift"], axis=0),
        node("Conv", ["dq", "kernel", "shift"], ["sums"], kernel_shape=[8, 8], strides=[8, 8]),
        node("QuantizeLinear", ["sums", "step", "low"], ["sums_q"]),
        node("DequantizeLinear", ["sums_q", "step", "low"], ["sums_dq"]),
        node("Squeeze", ["sums_dq", "axis"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["32*h", "32*w", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [11, "4*h", "4*w"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path = tmp_path / "saturating.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path, fake_spec(size=SIZE)


def exact_scores() -> Any:
    """What the saturating network gives: sums of integers, rounded to steps."""
    cells = IMAGE.reshape(4, 8, 8, 8, 3).astype(np.int64)
    sums = np.einsum("ryckp,mpyk->mrc", cells, WEIGHTS.astype(np.int64))
    return np.clip(np.rint(sums / 2**7 / STEP), 0, 255) * STEP


def scores(opened: Callable[..., Any], path: Path, spec: ModelSpec) -> Any:
    with opened(path, spec, SIZE, RunOptions(threads=1)) as engine, engine.session() as session:
        return session.scores(IMAGE)


def test_what_would_saturate_is_exact_on_every_processor(saturating: tuple[Path, ModelSpec]) -> None:
    expected = exact_scores()
    assert len(np.unique(expected)) > 10
    assert expected.max() > 100 * STEP
    np.testing.assert_array_equal(scores(open_unfused, *saturating), expected)


def test_fused_it_is_exact_only_where_products_are_added_in_32_bits(saturating: tuple[Path, ModelSpec]) -> None:
    right = np.array_equal(scores(OnnxRuntime().open_onnx, *saturating), exact_scores())
    assert right == (instruction_set() not in SATURATING)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Counter[str]]:
    """Operators of the graph that ONNX Runtime really runs for a way to open it."""
    written = tmp_path / "ran.onnx"
    made = onnxruntime_library._session_options

    def told(*arguments: Any) -> Any:
        options = made(*arguments)
        options.optimized_model_filepath = str(written)
        return options

    monkeypatch.setattr(onnxruntime_library, "_session_options", told)

    def operators(opened: Callable[..., Any], path: Path, spec: ModelSpec) -> Counter[str]:
        opened(path, spec, SIZE, RunOptions(threads=1)).close()
        return operators_of(written)

    return operators


def operators_of(path: Path) -> Counter[str]:
    return Counter(f"{node.domain}.{node.op_type}".lstrip(".") for node in onnx.load(path).graph.node)


def test_unfused_runs_every_node_as_it_is_written(saturating: tuple[Path, ModelSpec], ran: Any) -> None:
    assert ran(open_unfused, *saturating) == operators_of(saturating[0])


def test_fused_runs_integer_operators_in_their_place(saturating: tuple[Path, ModelSpec], ran: Any) -> None:
    fused = ran(OnnxRuntime().open_onnx, *saturating)
    assert any("QLinearConv" in name for name in fused)
    assert "Conv" not in fused
