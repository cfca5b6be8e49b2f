from __future__ import annotations

import pytest
import torch
from torch import nn

from fcn_edge.nets.resnet import ResNet, ResNetFCN, ResNetPlan

from .torchvision_layout import resnet50

D8 = {"strides": (1, 2, 1, 1), "dilations": (1, 1, 2, 4)}


def dilations(net: nn.Module) -> list[int]:
    """Dilation of each 3x3 convolution."""
    return [layer.dilation[0] for layer in net.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] == 3]


@pytest.mark.parametrize(
    ("bottleneck", "blocks", "depth", "channels"),
    [
        (False, (2, 2, 2, 2), 18, 512),
        (False, (3, 4, 6, 3), 34, 512),
        (True, (3, 4, 6, 3), 50, 2048),
        (True, (3, 4, 23, 3), 101, 2048),
        (True, (3, 8, 36, 3), 152, 2048),
    ],
)
def test_depth_and_channels(bottleneck, blocks, depth, channels) -> None:
    plan = ResNetPlan(bottleneck, blocks)
    assert (plan.depth, plan.channels, plan.stride) == (depth, channels, 32)


def test_names_and_shapes_are_those_of_torchvision() -> None:
    expected = {name: shape for name, shape in resnet50().items() if not name.startswith("fc.")}
    with torch.device("meta"):
        net = ResNet(ResNetPlan(True, (3, 4, 6, 3), **D8))
    assert {name: tuple(value.shape) for name, value in net.state_dict().items()} == expected


@pytest.mark.parametrize("deep_stem", [False, True])
@pytest.mark.parametrize("bottleneck", [False, True])
@torch.inference_mode()
def test_every_size_gives_the_cells_that_the_stride_says(bottleneck, deep_stem) -> None:
    plan = ResNetPlan(bottleneck, (1, 1, 2, 2), **D8, deep_stem=deep_stem, width=8)
    assert plan.stride == 8
    net = ResNetFCN(plan, hidden=4, classes=3).eval()
    for height, width in ((64, 96), (65, 95), (71, 1), (8, 9)):
        assert net(torch.zeros(1, 3, height, width)).shape == (1, 3, -(-height // 8), -(-width // 8))


def test_first_block_of_a_dilated_layer_reaches_as_far_as_the_layer_before() -> None:
    plan = ResNetPlan(True, (1, 1, 2, 3), **D8, width=8)
    assert dilations(ResNet(plan)) == [1, 1, 1, 2, 2, 4, 4]
    whole = ResNetPlan(True, (1, 1, 2, 3), **D8, width=8, contracted=False)
    assert dilations(ResNet(whole)) == [1, 1, 2, 2, 4, 4, 4]


def test_basic_blocks_dilate_their_first_convolution_only() -> None:
    plan = ResNetPlan(False, (1, 1, 1, 2), **D8, width=8)
    assert dilations(ResNet(plan)) == [1, 1, 1, 1, 1, 1, 2, 1, 4, 1]
