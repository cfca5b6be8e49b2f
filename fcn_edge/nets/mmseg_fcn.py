"""mmsegmentation's ``FCNHead`` on its ResNets and MobileNetV2, with its names of layers and parameters.

Source: mmsegmentation 1.2.2, ``models/decode_heads/fcn_head.py``, ``models/backbones/mobilenet_v2.py`` and
``models/utils/inverted_residual.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["FCNHead", "MMSegFCN", "MobileNetV2"]


class ConvModule(nn.Module):
    """A convolution without bias, its BatchNorm and an activation; ``(N, channels, H, W)`` to ``(N, out, h, w)``."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        activation: type[nn.ReLU | nn.ReLU6 | nn.Identity] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, out, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(out)
        self.activate = activation()

    def forward(self, x: Tensor) -> Tensor:
        """The activation of the normalized convolution."""
        out: Tensor = self.activate(self.bn(self.conv(x)))
        return out


class FCNHead(nn.Module):
    """A row of convolutions, their input beside their output, one more convolution, and scores.

    Maps features ``(N, channels, h, w)`` to scores ``(N, classes, h, w)``.

    Args:
        channels: Channels of the features.
        hidden: Channels of all convolutions.
        classes: How many classes it scores.
        convs: How many convolutions stand in the row.
        kernel: Their size.
        dilation: Their dilation.
        concat_input: Whether the features are put beside what the row gives, for one more convolution.
    """

    def __init__(
        self, channels: int, hidden: int, classes: int, *, convs: int, kernel: int, dilation: int, concat_input: bool
    ) -> None:
        super().__init__()
        padding = kernel // 2
        self.convs = nn.Sequential(
            *(
                ConvModule(
                    channels if index == 0 else hidden, hidden, kernel, padding=padding * dilation, dilation=dilation
                )
                for index in range(convs)
            )
        )
        self.conv_cat = ConvModule(channels + hidden, hidden, kernel, padding=padding) if concat_input else None
        self.conv_seg = nn.Conv2d(hidden, classes, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Scores of the features."""
        out = self.convs(features)
        if self.conv_cat is not None:
            out = self.conv_cat(torch.cat([features, out], 1))
        scores: Tensor = self.conv_seg(out)
        return scores


class InvertedResidual(nn.Module):
    """MobileNetV2 block: 1x1 expansion, 3x3 depthwise, 1x1 linear projection (Sandler et al. 2018)."""

    def __init__(self, channels: int, out: int, *, stride: int, dilation: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.residual = stride == 1 and channels == out
        layers = [] if expansion == 1 else [ConvModule(channels, hidden, 1, activation=nn.ReLU6)]
        self.conv = nn.Sequential(
            *layers,
            ConvModule(
                hidden,
                hidden,
                3,
                stride=stride,
                padding=dilation,
                dilation=dilation,
                groups=hidden,
                activation=nn.ReLU6,
            ),
            ConvModule(hidden, out, 1, activation=nn.Identity),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, channels, H, W)`` to ``(N, out, ceil(H / stride), ceil(W / stride))``."""
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


class MobileNetV2(nn.Sequential):
    """MobileNetV2 up to its last block, dilated as mmsegmentation does: the first block of a layer only.

    Maps normalized ``(N, 3, H, W)`` float32 images of every size to features of the last layer.

    Args:
        widths: Channels of the first convolution and of the seven layers.
        blocks: Blocks of the seven layers.
        strides: Stride of each layer's first block.
        dilations: Dilation of each layer's first block; all others have none.
    """

    EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)

    def __init__(
        self, widths: tuple[int, ...], blocks: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
    ) -> None:
        super().__init__()
        channels, *outputs = widths
        self.conv1 = ConvModule(3, channels, 3, stride=2, padding=1, activation=nn.ReLU6)
        layers = zip(self.EXPANSIONS, outputs, blocks, strides, dilations, strict=True)
        for number, (expansion, out, count, stride, dilation) in enumerate(layers, 1):
            layer = nn.Sequential(
                InvertedResidual(channels, out, stride=stride, dilation=dilation, expansion=expansion),
                *(InvertedResidual(out, out, stride=1, dilation=1, expansion=expansion) for _ in range(count - 1)),
            )
            self.add_module(f"layer{number}", layer)
            channels = out


class MMSegFCN(nn.Module):
    """A backbone and an ``FCNHead`` on its last features.

    Maps normalized ``(N, 3, H, W)`` float32 images to scores ``(N, classes, ceil(H / stride), ceil(W / stride))``.

    Args:
        backbone: A ``ResNet`` or ``MobileNetV2``.
        head: The head.
    """

    def __init__(self, backbone: nn.Module, head: FCNHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.decode_head = head

    def forward(self, image: Tensor) -> Tensor:
        """Class scores of a normalized image."""
        scores: Tensor = self.decode_head(self.backbone(image))
        return scores
