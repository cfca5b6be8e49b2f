from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.tensorrt.dla import DlaReport

onnx = pytest.importorskip("onnx")
Report = Callable[..., DlaReport]


def node(operator: str, *inputs: str, output: str = "y", **how: Any) -> Any:
    return onnx.helper.make_node(operator, ["x", *inputs], [output], name=operator, **how)


def reason(report: DlaReport, operator: str) -> str:
    (layer,) = [layer for layer in report.layers if layer.name == operator]
    return layer.reason


def weight(*shape: int) -> Any:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("shape", "how", "said"),
    [
        ((8, 3, 32, 32), {}, ""),
        ((8, 3, 33, 32), {}, "a kernel of 33x32; 1 to 32 were expected"),
        ((8, 3, 1, 33), {}, "a kernel of 1x33; 1 to 32 were expected"),
        ((8, 3, 3, 3), {"strides": [8, 8]}, ""),
        ((8, 3, 3, 3), {"strides": [1, 9]}, "a step of 1x9; 1 to 8 were expected"),
        ((8, 3, 2, 2), {"dilations": [32, 32]}, ""),
        ((8, 3, 2, 2), {"dilations": [33, 1]}, "a dilation of 33x1; 1 to 32 were expected"),
        ((8, 3, 32, 32), {"pads": [31, 31, 31, 31]}, ""),
        ((8, 3, 3, 3), {"pads": [2, 2, 2, 2]}, ""),
        (
            (8, 3, 3, 3),
            {"pads": [0, 0, 3, 0]},
            "a padding of 3x0 with a kernel of 3x3; less was expected",
        ),
        (
            (8, 3, 3, 3),
            {"pads": [4] * 4, "dilations": [4, 4]},
            "a padding of 4x4 with a kernel of 3x3; less was expected",
        ),
        ((8, 3, 32, 32), {"pads": [32, 0, 0, 0]}, "a padding of 32x0; 0 to 31 were expected"),
        ((8192, 3, 1, 1), {}, ""),
        ((8193, 3, 1, 1), {}, "an axis of 8193; 8192 at most was expected"),
        ((8, 3, 8, 8), {"auto_pad": "SAME_UPPER"}, ""),
        ((3, 1, 3, 3), {"group": 3}, ""),  # a depthwise one
    ],
)
def test_convolutions(report: Report, shape: tuple[int, ...], how: dict[str, Any], said: str) -> None:
    assert reason(report([node("Conv", "w", **how)], {"w": weight(*shape)}), "Conv") == said


def test_weights_that_are_computed(report: Report) -> None:
    # three pixels of the image serve as weights of 1x1
    nodes = [
        onnx.helper.make_node("Slice", ["three", "zeros", "ones", "axes"], ["w"], name="Slice"),
        node("Conv", "w"),
    ]
    weights = {"zeros": np.array([0, 0]), "ones": np.array([1, 1]), "axes": np.array([2, 3])}
    assert reason(report(nodes, weights), "Conv") == "its weights are computed; constant ones were expected"


def test_weights_that_are_made_of_constants_are_constant(report: Report) -> None:
    nodes = [onnx.helper.make_node("Cast", ["half"], ["w"], to=1), node("Conv", "w")]
    told = report(nodes, {"half": weight(8, 3, 3, 3).astype(np.float16)})
    assert reason(told, "Conv") == ""
    assert [layer.operator for layer in told.layers].count("Cast") == 1, "the image's; the weights' is folded"


@pytest.mark.parametrize(
    ("shape", "how", "said"),
    [
        ((3, 8, 22, 22), {"strides": [22, 22]}, ""),
        ((3, 8, 4, 4), {"strides": [2, 2]}, ""),
        ((3, 8, 23, 23), {"strides": [2, 2]}, "a square kernel of 23x23"),
        ((3, 8, 4, 4), {"strides": [32, 32]}, "a square step of 32x32"),
        ((3, 8, 64, 64), {"strides": [2, 2]}, "a kernel of 64x64; sides of 1 to 32"),
        ((3, 8, 1, 64), {}, ""),
        ((3, 8, 128, 1), {}, ""),
        ((3, 8, 1, 65), {}, "a kernel of 1x65"),
        ((3, 8, 32, 30), {}, ""),
        ((3, 8, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, "with padding"),
        ((3, 8, 4, 4), {"strides": [2, 2], "output_padding": [1, 1]}, "with padding"),
        ((3, 1, 4, 4), {"strides": [2, 2], "group": 3}, "of 3 groups"),
        ((3, 8, 2, 2), {"dilations": [2, 2]}, "with dilation"),
    ],
)
def test_transposed_convolutions(report: Report, shape: tuple[int, ...], how: dict[str, Any], said: str) -> None:
    found = reason(report([node("ConvTranspose", "w", **how)], {"w": weight(*shape)}, size=(32, 32)), "ConvTranspose")
    assert found.startswith(said) or said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"kernel_shape": [8, 8], "strides": [16, 16]}, ""),
        ({"kernel_shape": [9, 1]}, "a window of 9x1; 1 to 8 were expected"),
        ({"kernel_shape": [2, 2], "strides": [2, 17]}, "a step of 2x17; 1 to 16 were expected"),
        ({"kernel_shape": [8, 8], "pads": [7, 7, 7, 7]}, ""),
        ({"kernel_shape": [2, 2], "dilations": [2, 2]}, "a pooling with dilation; none was expected"),
    ],
)
def test_poolings(report: Report, operator: str, how: dict[str, Any], said: str) -> None:
    assert reason(report([node(operator, **how)]), operator) == said


SCALES = np.array([1, 1, 2, 2], np.float32)


@pytest.mark.parametrize(
    ("how", "scales", "said"),
    [
        ({"mode": "linear"}, (1, 1, 4, 4), ""),
        ({"mode": "linear"}, (1, 1, 4, 5), "a linear Resize by 4x5; whole numbers of 1 to 4 were expected"),
        ({"mode": "linear"}, (1, 1, 1.5, 2), "a linear Resize by 1.5x2"),
        ({"mode": "linear"}, (1, 2, 2, 2), "a Resize of other axes than height and width"),
        ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, (1, 1, 2, 2), "align_corners"),
        ({"mode": "linear", "antialias": 1}, (1, 1, 2, 2), "antialiasing"),
        ({"mode": "linear", "axes": [2, 3]}, (4, 2), ""),
        ({"mode": "linear", "axes": [-1, -2]}, (4, 5), "a linear Resize by 5x4"),
        ({"mode": "linear", "axes": [1]}, (2,), "a Resize of other axes than height and width"),
        ({"mode": "cubic"}, (1, 1, 2, 2), "a Resize of mode cubic; nearest or linear were expected"),
        ({}, (1, 1, 32, 32), ""),
        ({}, (1, 1, 33, 32), "a nearest Resize by 33x32"),
        ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, (1, 1, 2, 2), ""),
        ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}, (1, 1, 2, 2), "and ceil"),
        ({"coordinate_transformation_mode": "asymmetric"}, (1, 1, 2, 2), "and round_prefer_floor"),
    ],
)
def test_resizes(report: Report, how: dict[str, Any], scales: tuple[float, ...], said: str) -> None:
    found = reason(report([node("Resize", "", "s", **how)], {"s": np.array(scales, np.float32)}), "Resize")
    assert said in found
    assert bool(found) == bool(said)


def test_a_resize_to_a_size(report: Report) -> None:
    told = report([node("Resize", "", "", "s", mode="linear")], {"s": np.array([1, 3, 128, 192])})
    assert reason(told, "Resize") == "a Resize to a size; one by scales was expected"
    named = [node("Resize", "", "", "s", output="large", mode="linear", axes=[2, 3])]
    named.append(onnx.helper.make_node("Relu", ["large"], ["y"], name="last"))
    assert reason(report(named, {"s": np.array([128, 192])}), "last") == "", "its size is known"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0, 6, ""),
        (0, 127, ""),
        (0, 128, "a Clip to 0 to 128; from 0 to a bound of 1 to 127 was expected"),
        (-1, 1, "a Clip to -1 to 1"),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_clips(report: Report, low: float, high: float, said: str, kind: Any) -> None:
    found = reason(report([node("Clip", "low", "high")], {"low": kind(low), "high": kind(high)}), "Clip")
    assert found.startswith(said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("operator", "inputs", "weights", "how", "said"),
    [
        ("Add", ["w"], {"w": weight(1, 3, 1, 1)}, {}, ""),
        ("Sub", ["w"], {"w": weight(1)}, {}, ""),
        ("Mul", ["w"], {"w": weight(1, 1, 64, 96)}, {}, "it spreads 1x1x64x96 on 1x3x64x96"),
        ("Max", ["x"], {}, {}, ""),
        ("Div", ["w"], {"w": weight(1)}, {}, "TensorRT 10 divides on the GPU"),
        ("LeakyRelu", [], {}, {"alpha": 0.1}, ""),
        ("LeakyRelu", [], {}, {"alpha": -0.1}, "a slope of -0.1; none below 0 was expected"),
        ("PRelu", ["w"], {"w": weight(1, 3, 1, 1)}, {}, ""),
        ("PRelu", ["w"], {"w": weight(3, 1, 1)}, {}, "slopes of another number of axes than what they work on"),
        ("HardSwish", [], {}, {}, "there is no HardSwish on the DLA"),
        ("Softmax", [], {}, {"axis": 1}, ""),
        ("Softmax", [], {}, {"axis": 0}, "a Softmax along the batch"),
        ("LRN", [], {}, {"size": 5}, ""),
        ("LRN", [], {}, {"size": 11}, "a window of 11 channels"),
        ("Concat", ["x"], {}, {"axis": 1}, ""),
        ("Concat", ["x"], {}, {"axis": -1}, "a Concat along another axis than the channels"),
        ("Transpose", [], {}, {"perm": [0, 2, 3, 1]}, ""),
        ("Transpose", [], {}, {"perm": [1, 0, 2, 3]}, "it moves the batch axis"),
        ("ArgMax", [], {}, {"axis": 1}, "there is no ArgMax on the DLA"),
        ("GlobalAveragePool", [], {}, {}, "TensorRT makes a mean of it"),
        ("Reshape", ["w"], {"w": np.array([1, 12, 32, -1])}, {}, ""),
        ("Flatten", [], {}, {}, "it works on 2 axes"),
        ("Abs", [], {}, {}, ""),
        ("Neg", [], {}, {}, "there is no Neg on the DLA"),
    ],
)
def test_other_operators(
    report: Report, operator: str, inputs: list[str], weights: dict[str, Any], how: dict[str, Any], said: str
) -> None:
    found = reason(report([node(operator, *inputs, **how)], weights), operator)
    assert found.startswith(said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize(("channels", "said"), [(1024, ""), (1025, "a Softmax over 1025; 1024 at most was expected")])
def test_a_softmax_over_many(report: Report, channels: int, said: str) -> None:
    assert reason(report([node("Softmax", axis=1)], channels=channels, size=(32, 32)), "Softmax") == said


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"begin": [1], "end": [2], "axes": [1], "steps": [1]}, ""),
        ({"begin": [0], "end": [64], "axes": [2], "steps": [2]}, "a Slice with steps; none were expected"),
    ],
)
def test_slices(report: Report, weights: dict[str, list[int]], said: str) -> None:
    arrays = {name: np.array(value) for name, value in weights.items()}
    assert reason(report([node("Slice", *weights)], arrays), "Slice") == said


def test_sides_of_the_image(report: Report) -> None:
    assert reason(report([node("Relu")], size=(32, 8192)), "Relu") == ""
    assert reason(report([node("Relu")], size=(32, 8224)), "Relu") == "an axis of 8224; 8192 at most was expected"
