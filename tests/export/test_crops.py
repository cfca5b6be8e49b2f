from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fcn_edge.errors import ModelError
from fcn_edge.export.crops import open_crops

SIZES = [(20, 20), (7, 9), (33, 12)]


def slices(source: str, output: str, rows: tuple[int, int], columns: tuple[int, int] | None) -> list[Any]:
    """Nodes of a crop as PyTorch's exporter writes it: rows first, then columns."""
    steps = [(2, rows)] if columns is None else [(2, rows), (3, columns)]
    nodes, name = [], source
    for axis, (start, end) in steps:
        target = output if axis == 1 + len(steps) else f"{output}.rows"
        ends = [f"int.{value}" for value in (start, end, axis)]
        nodes.append(helper.make_node("Slice", [name, *ends, "int.1"], [target], name=f"{target}.slice"))
        name = target
    return nodes


def model_of(nodes: list[Any], output: str = "scores") -> ModelProto:
    """A graph from ``(H, W, 3)`` images with ``planes (1, 3, H, W)`` and ``wide (1, 3, H + 12, W + 12)`` in it."""
    begin = [
        helper.make_node("Transpose", ["image"], ["chw"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["chw", "int.0"], ["planes"]),
        helper.make_node("Pad", ["planes", "border"], ["wide"]),
    ]
    numbers = {f"int.{value}": np.array([value], np.int64) for value in (*range(4), 4, 5, 14, 20, 24, 25, -1)}
    numbers["border"] = np.array([0, 0, 6, 6, 0, 0, 6, 6], np.int64)
    graph = helper.make_graph(
        [*begin, *nodes],
        "crops",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["h", "w", 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 3, "rows", "columns"])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def run(model: ModelProto, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores of a random image, and the image as ``(1, 3, H, W)``."""
    onnx.checker.check_model(model, full_check=True)
    image = np.random.default_rng(0).random((*size, 3), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0], image.transpose(2, 0, 1)[None]


@pytest.mark.parametrize("size", SIZES)
def test_a_skip_is_cropped_to_what_it_is_added_to(size: tuple[int, int]) -> None:
    """Traced at 20x20, where ``wide`` is 32 rows high, and the sum 20."""
    crop = slices("wide", "skip", (4, 24), (5, 25))
    model = model_of([*crop, helper.make_node("Add", ["planes", "skip"], ["scores"])])
    open_crops(model)
    scores, planes = run(model, size)
    wide = np.pad(planes, ((0, 0), (0, 0), (6, 6), (6, 6)))
    np.testing.assert_array_equal(scores, planes + wide[:, :, 4 : 4 + size[0], 5 : 5 + size[1]])


@pytest.mark.parametrize("size", SIZES)
def test_what_it_is_added_to_may_come_later(size: tuple[int, int]) -> None:
    crop = slices("wide", "skip", (4, 24), (5, 25))
    nodes = [
        *crop,
        helper.make_node("Relu", ["planes"], ["late"]),
        helper.make_node("Add", ["skip", "late"], ["scores"]),
    ]
    model = model_of(nodes)
    open_crops(model)
    scores, planes = run(model, size)
    wide = np.pad(planes, ((0, 0), (0, 0), (6, 6), (6, 6)))
    np.testing.assert_array_equal(scores, planes + wide[:, :, 4 : 4 + size[0], 5 : 5 + size[1]])


@pytest.mark.parametrize("size", SIZES)
def test_scores_that_nothing_is_added_to_are_cropped_to_the_image(size: tuple[int, int]) -> None:
    model = model_of(slices("wide", "scores", (4, 24), (4, 24)))
    open_crops(model)
    scores, planes = run(model, size)
    wide = np.pad(planes, ((0, 0), (0, 0), (6, 6), (6, 6)))
    np.testing.assert_array_equal(scores, wide[:, :, 4 : 4 + size[0], 4 : 4 + size[1]])


def test_trims_stay_and_fixed_ends_go() -> None:
    trim = slices("wide", "trimmed", (1, -1), (1, -1))
    model = model_of([*trim, *slices("trimmed", "scores", (5, 25), (5, 25))])
    open_crops(model)
    operators = [node.op_type for node in model.graph.node]
    assert operators == ["Transpose", "Unsqueeze", "Pad", "Slice", "Slice", "Shape", "Add", "Slice"]
    read = {name for node in model.graph.node for name in node.input}
    assert {initializer.name for initializer in model.graph.initializer} <= read
    scores, _ = run(model, (9, 11))
    assert scores.shape == (1, 3, 9, 11)


def test_half_a_crop_is_refused() -> None:
    model = model_of(slices("wide", "scores", (4, 24), None))
    with pytest.raises(ModelError, match="rows and no columns"):
        open_crops(model)
