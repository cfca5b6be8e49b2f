"""The encoders with a quarter of their channels, for tests that are about something else than what a network computes.

A layer of those that are exported has its own name, kind and place in the thin one too, so that graphs are made,
typed and compiled as at full width, in a fraction of the time. Tests at full width are slow tests, and those of the
shipped models. Importing this needs torch.
"""

from __future__ import annotations

from torch import Tensor, nn

from fcn_edge.nets.encoders import (
    VGG16,
    Encoder,
    InvertedResidual,
    MobileNetV2,
    ResNet50,
    _blocks,
    _conv_bn_relu6,
    _tap,
)
from fcn_edge.nets.resnet import Bottleneck, stage

THINNER = 4


class ThinVGG16(VGG16):
    channels = (256 // THINNER, 512 // THINNER, 512 // THINNER)
    _widths = tuple(width // THINNER for width in VGG16._widths)


class ThinResNet50(ResNet50):
    channels = (512 // THINNER, 1024 // THINNER, 2048 // THINNER)

    def __init__(self) -> None:
        Encoder.__init__(self)
        width = 64 // THINNER
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = stage(Bottleneck, width, width, 3, stride=1)
        self.layer2 = stage(Bottleneck, 4 * width, 2 * width, 4, stride=2)
        self.layer3 = stage(Bottleneck, 8 * width, 4 * width, 6, stride=2)
        self.layer4 = stage(Bottleneck, 16 * width, 8 * width, 3, stride=2)


class ShortMobileNetV2(Encoder):
    """Each stage of MobileNetV2 once, and thin, with five blocks to freeze as there; most layers have other names."""

    channels = (16, 32, 128)
    classifier_prefixes = MobileNetV2.classifier_prefixes
    blocks = _blocks(2, 3, 4, 6, 9)

    def __init__(self) -> None:
        super().__init__()
        channels = (16, 16, 16, 16, 32, 32, 48, 64)
        strides = (1, 2, 2, 2, 1, 2, 1)
        layers: list[nn.Module] = [_conv_bn_relu6(3, channels[0], 3, stride=2)]
        for before, after, stride in zip(channels, channels[1:], strides, strict=False):
            layers.append(InvertedResidual(before, after, stride=stride, expansion=2))
        layers.append(_conv_bn_relu6(channels[-1], self.channels[-1], 1))
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return _tap(self.features, image, (3, 5, 8))


THIN: dict[str, type[Encoder]] = {"vgg16": ThinVGG16, "resnet50": ThinResNet50}
"""Thin encoders that may be exported, by the name of the one that they stand for."""
