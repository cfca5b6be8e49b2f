"""Encoders: VGG-16, ResNet-50 and MobileNetV2 as feature pyramids of stride 8, 16 and 32.

Layer and parameter names are torchvision's, so that its ImageNet ``state_dict`` loads as it is; torchvision itself
is not needed. Every encoder maps ``(N, 3, H, W)`` float32, RGB, normalized with the ImageNet mean and standard
deviation, H and W multiples of 32, to three feature maps ``(N, channels[i], H / stride, W / stride)`` for the
strides 8, 16 and 32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from fcn_edge.errors import UsageError
from fcn_edge.nets.resnet import Bottleneck, stage

__all__ = ["ENCODERS", "VGG16", "Encoder", "MobileNetV2", "ResNet50", "encoder"]

Pyramid = tuple[Tensor, Tensor, Tensor]


class Encoder(nn.Module, ABC):
    """A network that turns an image into feature maps of stride 8, 16 and 32."""

    channels: tuple[int, int, int]
    """Channels of the three feature maps, finest first."""

    classifier_prefixes: tuple[str, ...]
    """Leading key parts of the ImageNet classifier, which a checkpoint may hold and this encoder does not use."""

    blocks: tuple[tuple[str, ...], ...] = ()
    """Leading key parts of the blocks, from the image on: what training may freeze. The shipped encoders have five,
    each of which halves the grid. Empty where there is nothing to freeze."""

    @abstractmethod
    def forward(self, image: Tensor) -> Pyramid:
        """Feature maps of stride 8, 16 and 32 of a normalized ``(N, 3, H, W)`` image."""


def _blocks(*ends: int) -> tuple[tuple[str, ...], ...]:
    """Leading key parts of the blocks of numbered layers, each ending before one of ``ends``."""
    starts = (0, *ends)
    return tuple(
        tuple(f"features.{layer}." for layer in range(start, end)) for start, end in zip(starts, ends, strict=False)
    )


class VGG16(Encoder):
    """The 13 convolutions of VGG-16 (Simonyan and Zisserman 2014, configuration D) with pool3, pool4 and pool5.

    The fully connected layers are not reused.
    """

    channels = (256, 512, 512)
    classifier_prefixes = ("classifier.",)
    blocks = _blocks(5, 10, 17, 24, 31)

    _widths = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
    _taps = (16, 23, 30)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in self._widths:
            if width == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Pyramid:
        """The features after pool3, pool4 and pool5."""
        return _tap(self.features, image, self._taps)


class ResNet50(Encoder):
    """ResNet-50 (He et al. 2015) with the outputs of layer2, layer3 and layer4."""

    channels = (512, 1024, 2048)
    classifier_prefixes = ("fc.",)
    blocks = (("conv1.", "bn1."), ("layer1.",), ("layer2.",), ("layer3.",), ("layer4.",))

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = stage(Bottleneck, 64, 64, 3, stride=1)
        self.layer2 = stage(Bottleneck, 256, 128, 4, stride=2)
        self.layer3 = stage(Bottleneck, 512, 256, 6, stride=2)
        self.layer4 = stage(Bottleneck, 1024, 512, 3, stride=2)

    def forward(self, image: Tensor) -> Pyramid:
        """The features after layer2, layer3 and layer4."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        stride8 = self.layer2(self.layer1(x))
        stride16 = self.layer3(stride8)
        return stride8, stride16, self.layer4(stride16)


def _conv_bn_relu6(channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    padding = (kernel - 1) // 2
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """MobileNetV2 block: 1x1 expansion, 3x3 depthwise, 1x1 linear projection (Sandler et al. 2018)."""

    def __init__(self, channels: int, out: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.residual = stride == 1 and channels == out
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(_conv_bn_relu6(channels, hidden, 1))
        layers += [
            _conv_bn_relu6(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


class MobileNetV2(Encoder):
    """MobileNetV2, width 1.0 (Sandler et al. 2018).

    Taps are the ends of the stages of stride 8 and 16, which are linear bottleneck outputs (signed, without ReLU6),
    and the last convolution with its 1280 channels.
    """

    channels = (32, 96, 1280)
    classifier_prefixes = ("classifier.",)
    blocks = _blocks(2, 4, 7, 14, 19)

    # expansion, output channels, blocks, stride of the first block: table 2 of the paper
    _stages = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    _taps = (6, 13, 18)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_bn_relu6(3, 32, 3, stride=2)]
        channels = 32
        for expansion, out, blocks, first_stride in self._stages:
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                layers.append(InvertedResidual(channels, out, stride=stride, expansion=expansion))
                channels = out
        layers.append(_conv_bn_relu6(channels, 1280, 1))
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Pyramid:
        """The features after blocks 6 and 13 and after the last convolution."""
        return _tap(self.features, image, self._taps)


def _tap(features: nn.Sequential, image: Tensor, taps: tuple[int, int, int]) -> Pyramid:
    """Run a sequence of layers and keep the outputs of the three layers numbered in ``taps``."""
    kept: dict[int, Tensor] = {}
    x = image
    for index, layer in enumerate(features):
        x = layer(x)
        if index in taps:
            kept[index] = x
    return kept[taps[0]], kept[taps[1]], kept[taps[2]]


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "vgg16": VGG16,
    "resnet50": ResNet50,
    "mobilenet_v2": MobileNetV2,
}
"""Encoder classes by the name that commands and specs use."""


def encoder(name: str) -> Encoder:
    """A freshly initialized encoder.

    Args:
        name: A key of ``ENCODERS``.

    Raises:
        UsageError: There is no encoder of that name.
    """
    if name not in ENCODERS:
        raise UsageError(f"There is no encoder named {name!r}.", f"Choose one of: {', '.join(ENCODERS)}.")
    return ENCODERS[name]()
