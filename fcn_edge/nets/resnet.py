"""ResNets of every depth, width and dilation, with torchvision's names of layers and parameters (He et al. 2015).

A dilated layer does not halve the grid: its first block looks as far as the layer before, all others twice as far (Yu,
Koltun and Funkhouser 2017). torchvision calls that ``replace_stride_with_dilation``, mmsegmentation
``contract_dilation``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "ResNetFCN", "ResNetPlan", "stage"]

Four = tuple[int, int, int, int]


class BasicBlock(nn.Module):
    """The block of ResNet-18 and ResNet-34: two 3x3, the first carries stride and dilation, and the residual sum."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv3x3(channels, width, stride, dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(width, width, 1, 1)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _downsample(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` to ``(N, width, ceil(H / stride), ceil(W / stride))``."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(out)) + identity)


class Bottleneck(nn.Module):
    """ResNet v1.5 bottleneck: 1x1, 3x3 (carries stride and dilation), 1x1, and the residual sum."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, dilation: int = 1) -> None:
        super().__init__()
        out = width * self.expansion
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` to ``(N, 4 * width, ceil(H / stride), ceil(W / stride))``."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + identity)


def _conv3x3(channels: int, width: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


def _downsample(channels: int, out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


Block = type[BasicBlock] | type[Bottleneck]


def stage(
    block: Block, channels: int, width: int, blocks: int, *, stride: int, dilation: int = 1, first_dilation: int = 1
) -> nn.Sequential:
    """One of a ResNet's four layers.

    Args:
        block: Kind of its blocks.
        channels: Channels that it takes.
        width: Channels inside its blocks; it gives ``width * block.expansion``.
        blocks: How many blocks it has.
        stride: Stride of the first block.
        dilation: Dilation of all blocks but the first.
        first_dilation: Dilation of the first block.
    """
    first = block(channels, width, stride, first_dilation)
    rest = [block(width * block.expansion, width, 1, dilation) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


@dataclass(frozen=True)
class ResNetPlan:
    """What a ResNet looks like; each four numbers are those of layer1 to layer4.

    Attributes:
        bottleneck: Its blocks are bottlenecks, as from ResNet-50 on.
        blocks: Blocks of each layer.
        strides: Stride of the first block of each layer.
        dilations: Dilation of each layer.
        contracted: The first block of a dilated layer has half its dilation, which is that of the layer before.
        deep_stem: Three 3x3 convolutions instead of one 7x7 come first (mmsegmentation's ResNetV1c).
        width: Channels of the stem; layer1 to layer4 are 1, 2, 4 and 8 times as wide inside.
    """

    bottleneck: bool
    blocks: Four
    strides: Four = (1, 2, 2, 2)
    dilations: Four = (1, 1, 1, 1)
    contracted: bool = True
    deep_stem: bool = False
    width: int = 64

    @property
    def depth(self) -> int:
        """Layers with weights, counted as in ``ResNet-50``: the stem is one, and so is ImageNet's classifier."""
        return sum(self.blocks) * (3 if self.bottleneck else 2) + 2

    @property
    def channels(self) -> int:
        """Channels that layer4 gives."""
        return 8 * self.width * (Bottleneck.expansion if self.bottleneck else BasicBlock.expansion)

    @property
    def stride(self) -> int:
        """Input pixels per cell of what layer4 gives."""
        one, two, three, four = self.strides
        return 4 * one * two * three * four


class ResNet(nn.Module):
    """A ResNet without its classifier.

    Maps normalized ``(N, 3, H, W)`` float32 images of every size to ``(N, plan.channels, ceil(H / plan.stride),
    ceil(W / plan.stride))``.

    Args:
        plan: What it looks like.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, plan: ResNetPlan) -> None:
        super().__init__()
        self.stem = _deep_stem(plan.width) if plan.deep_stem else None
        if self.stem is None:
            self.conv1 = nn.Conv2d(3, plan.width, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(plan.width)
            self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        block = Bottleneck if plan.bottleneck else BasicBlock
        channels = plan.width
        layers = zip(plan.blocks, plan.strides, plan.dilations, strict=True)
        for index, (blocks, stride, dilation) in enumerate(layers):
            width = plan.width << index
            first = max(1, dilation // 2) if plan.contracted else dilation
            layer = stage(block, channels, width, blocks, stride=stride, dilation=dilation, first_dilation=first)
            self.add_module(f"layer{index + 1}", layer)
            channels = width * block.expansion

    def forward(self, image: Tensor) -> Tensor:
        """What layer4 gives."""
        x: Tensor = self.relu(self.bn1(self.conv1(image))) if self.stem is None else self.stem(image)
        x = self.maxpool(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return x


def _deep_stem(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels, out, stride in ((3, width // 2, 2), (width // 2, width // 2, 1), (width // 2, width, 1)):
        layers += [_conv3x3(channels, out, stride, 1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class ResNetFCN(nn.Module):
    """A ResNet with torchvision's ``FCNHead``: a 3x3 convolution to a quarter of the channels and a score layer.

    Maps normalized ``(N, 3, H, W)`` float32 images to scores ``(N, classes, ceil(H / plan.stride), ceil(W /
    plan.stride))``.

    Args:
        plan: What its ResNet looks like.
        hidden: Channels between the two convolutions of the head.
        classes: How many classes it scores.
    """

    def __init__(self, plan: ResNetPlan, hidden: int, classes: int) -> None:
        super().__init__()
        self.backbone = ResNet(plan)
        self.classifier = nn.Sequential(
            _conv3x3(plan.channels, hidden, 1, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Identity(),  # in place of the dropout, so that the score layer has torchvision's number
            nn.Conv2d(hidden, classes, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Class scores of a normalized image."""
        scores: Tensor = self.classifier(self.backbone(image))
        return scores
