"""torchvision's FCNs as described in its ``models/segmentation/fcn.py`` and ``models/resnet.py``, at any width."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from .described import Described, Image, residual_layer

CLASSES = 21
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def torchvision_fcn(
    images: Sequence[Image],
    *,
    blocks: Sequence[int] = (1, 1, 2, 2),
    bottleneck: bool = True,
    width: int = 8,
    classes: int = CLASSES,
) -> Described:
    """Bottlenecks with ``replace_stride_with_dilation=[False, True, True]``, BasicBlocks without dilation."""

    def forward(net: Described, image: Tensor) -> Tensor:
        x = net.norm(net.conv(image, "backbone.conv1", width, 7, stride=2, padding=3), "backbone.bn1").relu()
        x = functional.max_pool2d(x, 3, 2, 1)
        dilation = 1
        for index, count in enumerate(blocks):
            previous = dilation
            stride = 1 if index == 0 else 2
            if bottleneck and index >= 2:
                dilation, stride = 2 * dilation, 1
            x = residual_layer(
                net,
                x,
                f"backbone.layer{index + 1}",
                width=width * 2**index,
                blocks=count,
                bottleneck=bottleneck,
                stride=stride,
                first_dilation=previous,
                dilation=dilation,
            )
            if index == 2:
                head(net, x, "aux_classifier", classes)
        return head(net, x, "classifier", classes)

    return Described(forward, images)


def head(net: Described, x: Tensor, name: str, classes: int) -> Tensor:
    y = net.norm(net.conv(x, f"{name}.0", x.shape[1] // 4, 3, padding=1), f"{name}.1").relu()
    return net.scores(y, f"{name}.4", classes)
