from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional

from fcn_edge.quantization.biases import corrected_bias
from fcn_edge.quantization.graph import Conv


def conv_of(weight: np.ndarray, bias: np.ndarray | None, groups: int) -> Conv:
    node = onnx.helper.make_node("Conv", ["a", "w"], ["b"], name="b")
    return Conv(node, "a", weight.astype(np.float32), bias, groups, None)


def channel_means(images: np.ndarray, conv: Conv, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    offset = None if bias is None else torch.from_numpy(bias.astype(np.float64))
    given = functional.conv2d(
        torch.from_numpy(images), torch.from_numpy(weight.astype(np.float64)), offset, 1, 0, 1, conv.groups
    )
    return given.mean((0, 2, 3)).numpy()


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [((6, 4, 1, 1), 1), ((6, 2, 1, 1), 2), ((6, 2, 3, 3), 2), ((5, 1, 3, 3), 5), ((10, 1, 3, 3), 5), ((6, 4, 3, 3), 1)],
    ids=["1x1", "grouped 1x1", "grouped 3x3", "depthwise", "depthwise, two each", "3x3"],
)
def test_means_are_those_of_the_float_layer(shape, groups: int, biased: bool) -> None:
    """Exactly, on images each of whose channels has the same mean under every weight of the kernel."""
    random = np.random.default_rng(0)
    inputs = shape[1] * groups
    means = random.normal(0, 2, inputs)
    if shape[2] == 1:
        images = random.normal(0, 1, (3, inputs, 6, 7))
        images += (means - images.mean((0, 2, 3)))[:, None, None]
    else:
        images = np.broadcast_to(means[:, None, None], (1, inputs, 6, 7)).copy()
    weight = random.normal(0, 1, shape)
    bias = random.normal(0, 1, shape[0]).astype(np.float32) if biased else None
    conv = conv_of(weight, bias, groups)
    rounded = (np.rint(conv.weight * 3) / 3).astype(np.float32)
    wanted = channel_means(images, conv, conv.weight, bias)
    assert np.abs(channel_means(images, conv, rounded, bias) - wanted).max() > 0.01
    corrected = corrected_bias(conv, rounded, {"a": tuple(means)})
    assert corrected is not None
    assert corrected.dtype == np.float32
    assert np.allclose(channel_means(images, conv, rounded, corrected), wanted, atol=1e-5)


@pytest.mark.parametrize("means", [{}, {"other": (1.0, 2.0)}, {"a": ()}, {"a": (1.0,)}])
def test_layers_whose_input_is_unknown_are_left_alone(means: dict[str, tuple[float, ...]]) -> None:
    bias = np.ones(3, np.float32)
    conv = conv_of(np.ones((3, 2, 1, 1)), bias, 1)
    assert corrected_bias(conv, conv.weight + 1, means) is bias
    without = conv_of(np.ones((3, 2, 1, 1)), None, 1)
    assert corrected_bias(without, conv.weight + 1, means) is None
