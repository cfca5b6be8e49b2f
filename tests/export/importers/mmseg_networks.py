"""mmsegmentation's FCNs as described in its ``models/decode_heads/fcn_head.py`` and ``models/backbones``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, cat
from torch.nn import functional

from .described import Described, Image, imagenet, residual_layer

D8: dict[str, tuple[int, ...]] = {"strides": (1, 2, 1, 1), "dilations": (1, 1, 2, 4)}
D16: dict[str, tuple[int, ...]] = {"strides": (1, 2, 2, 1), "dilations": (1, 1, 1, 2)}
MOBILE_D8: dict[str, tuple[int, ...]] = {"strides": (1, 2, 2, 1, 1, 1, 1), "dilations": (1, 1, 1, 2, 2, 4, 4)}

INVERTED = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Expansion, channels and blocks of MobileNetV2's layers."""


def resnet_fcn(
    images: Sequence[Image],
    *,
    blocks: Sequence[int] = (1, 1, 2, 2),
    bottleneck: bool = True,
    width: int = 8,
    hidden: int = 16,
    classes: int = 19,
    strides: Sequence[int] = D8["strides"],
    dilations: Sequence[int] = D8["dilations"],
    contract_dilation: bool = True,
    deep_stem: bool = True,
    head_dilation: int = 1,
    align_corners: bool = False,
    normalize: Callable[[Tensor], Tensor] = imagenet,
) -> Described:
    """``ResNetV1c`` (``ResNet`` without the deep stem) and ``FCNHead``."""

    def forward(net: Described, image: Tensor) -> Tensor:
        if deep_stem:
            x = image
            for index, (out, stride) in enumerate(((width // 2, 2), (width // 2, 1), (width, 1))):
                x = net.conv(x, f"backbone.stem.{3 * index}", out, 3, stride=stride, padding=1)
                x = net.norm(x, f"backbone.stem.{3 * index + 1}").relu()
        else:
            x = net.norm(net.conv(image, "backbone.conv1", width, 7, stride=2, padding=3), "backbone.bn1").relu()
        x = functional.max_pool2d(x, 3, 2, 1)
        for index, (count, stride, dilation) in enumerate(zip(blocks, strides, dilations, strict=True)):
            x = residual_layer(
                net,
                x,
                f"backbone.layer{index + 1}",
                width=width * 2**index,
                blocks=count,
                bottleneck=bottleneck,
                stride=stride,
                first_dilation=dilation // 2 if dilation > 1 and contract_dilation else dilation,
                dilation=dilation,
            )
            if index == 2:
                head(net, x, "auxiliary_head", hidden // 2, classes, convs=1, concat_input=False)
        return head(net, x, "decode_head", hidden, classes, dilation=head_dilation)

    return Described(forward, images, align_corners=align_corners, normalize=normalize)


def mobilenet_fcn(images: Sequence[Image], *, divisor: int = 4, hidden: int = 16, classes: int = 19) -> Described:
    """``MobileNetV2`` with dilations in the first block of each layer, and ``FCNHead``."""

    def forward(net: Described, image: Tensor) -> Tensor:
        x = conv_module(net, image, "backbone.conv1", 32 // divisor, 3, stride=2, padding=1).clamp(0, 6)
        layers = zip(INVERTED, MOBILE_D8["strides"], MOBILE_D8["dilations"], strict=True)
        for number, ((expansion, channels, blocks), first_stride, first_dilation) in enumerate(layers, 1):
            for block in range(blocks):
                stride, dilation = (first_stride, first_dilation) if block == 0 else (1, 1)
                at, inner = f"backbone.layer{number}.{block}.conv", x.shape[1] * expansion
                y, step = x, 0
                if expansion != 1:
                    y, step = conv_module(net, x, f"{at}.0", inner, 1).clamp(0, 6), 1
                y = conv_module(
                    net,
                    y,
                    f"{at}.{step}",
                    inner,
                    3,
                    groups=inner,
                    stride=stride,
                    padding=dilation,
                    dilation=dilation,
                ).clamp(0, 6)
                y = conv_module(net, y, f"{at}.{step + 1}", channels // divisor, 1, gain=0.5)
                x = x + y if stride == 1 and x.shape == y.shape else y
        return head(net, x, "decode_head", hidden, classes)

    return Described(forward, images)


def head(
    net: Described,
    x: Tensor,
    name: str,
    hidden: int,
    classes: int,
    *,
    convs: int = 2,
    dilation: int = 1,
    concat_input: bool = True,
) -> Tensor:
    y = x
    for index in range(convs):
        y = conv_module(net, y, f"{name}.convs.{index}", hidden, 3, padding=dilation, dilation=dilation).relu()
    if concat_input:
        y = conv_module(net, cat([x, y], 1), f"{name}.conv_cat", hidden, 3, padding=1).relu()
    return net.scores(y, f"{name}.conv_seg", classes)


def conv_module(net: Described, x: Tensor, name: str, out: int, kernel: int, gain: float = 1.0, **how: int) -> Tensor:
    return net.norm(net.conv(x, f"{name}.conv", out, kernel, **how), f"{name}.bn", gain)
