from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fcn_edge.nets.deconvolution import Doubling, bilinear_kernel, bilinear_upsampling, is_bilinear


def fixed(classes: int, stride: int) -> nn.ConvTranspose2d:
    """Caffe's filler, as its documentation words it: ``(1 - |x / f - c|) * (1 - |y / f - c|)``."""
    layer = nn.ConvTranspose2d(classes, classes, 2 * stride, stride, bias=False)
    f = stride
    c = (2 * f - 1 - f % 2) / (2 * f)
    along = np.array([1 - abs(x / f - c) for x in range(2 * stride)])
    nn.init.zeros_(layer.weight)
    for index in range(classes):
        layer.weight.data[index, index] = torch.from_numpy(np.outer(along, along))
    return layer


@pytest.mark.parametrize("stride", [2, 8, 16, 32])
def test_kernel_and_upsampling_are_caffe_s(stride: int) -> None:
    layer = fixed(3, stride)
    np.testing.assert_allclose(bilinear_kernel(2 * stride), layer.weight[0, 0].detach(), atol=1e-7)
    assert is_bilinear(layer.weight.detach().numpy())
    scores = torch.randn(2, 3, 4, 7)
    torch.testing.assert_close(bilinear_upsampling(scores, stride), layer(scores))


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (16, 13)])
def test_doubling_is_the_transposed_convolution_borders_included(size: tuple[int, int]) -> None:
    scores = torch.randn(1, 5, *size)
    torch.testing.assert_close(Doubling()(scores), fixed(5, 2)(scores))


def test_a_kernel_in_half_precision_is_bilinear_and_a_trained_one_is_not() -> None:
    kernel = fixed(4, 8).weight.detach()
    for stride in (2, 8, 32):
        weight = fixed(2, stride).weight.detach()
        assert is_bilinear(weight.half().float().numpy())
        assert is_bilinear(weight.bfloat16().float().numpy())
    grouped = bilinear_kernel(16)[None, None].repeat(4, axis=0)
    assert is_bilinear(grouped)
    for spoiled, value in (((2, 2, 3, 3), 1e-4), ((0, 3, 0, 0), 1e-5), ((1, 1, 0, 0), float("nan"))):
        other = kernel.clone()
        other[spoiled] += value
        assert not is_bilinear(other.numpy())
    assert not is_bilinear(kernel[:, :2].numpy())
    assert not is_bilinear(kernel[..., :15].numpy())
    assert not is_bilinear(kernel[..., :15, :15].numpy())
