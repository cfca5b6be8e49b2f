"""The networks of Long, Shelhamer and Darrell as they were published: VGG-16 with its fully connected layers.

They differ from our own FCNs on VGG-16 in what their trained weights need: conv1_1 pads the image by 100 pixels, pools
round up, fc6 and fc7 are convolutions (fc6 without padding), and scores of different strides are brought together by
crops. Layers have the names of the authors' Caffe networks (https://github.com/shelhamer/fcn.berkeleyvision.org), which
https://github.com/wkentaro/pytorch-fcn took over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor, nn

from fcn_edge.nets.deconvolution import Doubling

__all__ = ["POOL3_OFFSET", "POOL4_OFFSET", "VGG_FCN_DECODERS", "LastUpsampling", "VggFcn", "VggWidths", "cropped"]

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Convolutions of each of VGG-16's five stages."""

PADDING = 100
POOL4_OFFSET, POOL3_OFFSET = 5, 9
"""Rows and columns that are cropped off a skip's scores at the top and on the left."""


@dataclass(frozen=True)
class LastUpsampling:
    """The last upsampling of a decoder, from the scores to the image's size.

    Attributes:
        layer: Its name.
        stride: Of the scores, in input pixels; its kernel is twice as large.
        offset: Rows and columns that are cropped off its output at the top and on the left.
    """

    layer: str
    stride: int
    offset: int


VGG_FCN_DECODERS: Mapping[str, LastUpsampling] = MappingProxyType(
    {
        "fcn32s": LastUpsampling("upscore", 32, 19),
        "fcn16s": LastUpsampling("upscore16", 16, 27),
        "fcn8s": LastUpsampling("upscore8", 8, 31),
    }
)


@dataclass(frozen=True)
class VggWidths:
    """Channels of the layers; the default is VGG-16.

    Attributes:
        stages: Of the convolutions of the five stages.
        fc6: Of fc6.
        fc7: Of fc7.
    """

    stages: tuple[int, int, int, int, int] = (64, 128, 256, 512, 512)
    fc6: int = 4096
    fc7: int = 4096


class VggFcn(nn.Module):
    """FCN-32s, FCN-16s or FCN-8s on VGG-16, as the authors published them.

    FCN-8s at once is the FCN-8s whose ``score_pool4`` and ``score_pool3`` have their scales (0.01 and 0.0001)
    multiplied into their weights; not into their biases, as it is their inputs that are scaled.

    Args:
        decoder: ``fcn32s``, ``fcn16s`` or ``fcn8s``.
        classes: How many classes are scored.
        widths: Channels of the layers.
        learned: Upsampling layers that are not the fixed bilinear ones and keep their weights, by name, each with the
            number of its groups. Without the last one, the network ends at scores at the decoder's stride.
    """

    def __init__(
        self,
        decoder: str,
        classes: int,
        widths: VggWidths = VggWidths(),
        learned: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.last = VGG_FCN_DECODERS[decoder]
        before = 3
        for stage, (count, width) in enumerate(zip(CONVOLUTIONS, widths.stages, strict=True), start=1):
            for number in range(1, count + 1):
                padding = PADDING if (stage, number) == (1, 1) else 1
                self.add_module(f"conv{stage}_{number}", nn.Conv2d(before, width, 3, padding=padding))
                before = width
        self.fc6 = nn.Conv2d(before, widths.fc6, 7)
        self.fc7 = nn.Conv2d(widths.fc6, widths.fc7, 1)
        self.score_fr = nn.Conv2d(widths.fc7, classes, 1)

        def upsampling(layer: str, stride: int) -> nn.Module:
            if layer not in learned:
                return Doubling()
            return nn.ConvTranspose2d(classes, classes, 2 * stride, stride, groups=learned[layer], bias=False)

        if self.last.stride <= 16:
            self.upscore2 = upsampling("upscore2", 2)
            self.score_pool4 = nn.Conv2d(widths.stages[3], classes, 1)
        if self.last.stride <= 8:
            self.upscore_pool4 = upsampling("upscore_pool4", 2)
            self.score_pool3 = nn.Conv2d(widths.stages[2], classes, 1)
        self.ends_at_image = self.last.layer in learned
        if self.ends_at_image:
            self.add_module(self.last.layer, upsampling(self.last.layer, self.last.stride))

    def forward(self, image: Tensor) -> Tensor:
        """Class scores of a normalized image.

        Args:
            image: ``(N, 3, H, W)`` float32, BGR less the mean, of any size.

        Returns:
            ``(N, classes, rows, columns)`` float32 at the decoder's stride, or ``(N, classes, H, W)`` where the last
            upsampling is part of the network.
        """
        pool3, pool4, pool5 = self._pools(image)
        features = self.fc7(self.fc6(pool5).relu()).relu()
        scores: Tensor = self.score_fr(features)
        if self.last.stride <= 16:
            scores = self.upscore2(scores)
            scores = scores + cropped(self.score_pool4(pool4), POOL4_OFFSET, scores)
        if self.last.stride <= 8:
            scores = self.upscore_pool4(scores)
            scores = scores + cropped(self.score_pool3(pool3), POOL3_OFFSET, scores)
        if self.ends_at_image:
            scores = cropped(self.get_submodule(self.last.layer)(scores), self.last.offset, image)
        return scores

    def _pools(self, image: Tensor) -> Iterator[Tensor]:
        """The outputs of pool3, pool4 and pool5."""
        features = image
        for stage, count in enumerate(CONVOLUTIONS, start=1):
            for number in range(1, count + 1):
                features = self.get_submodule(f"conv{stage}_{number}")(features).relu()
            features = nn.functional.max_pool2d(features, 2, ceil_mode=True)
            if stage >= 3:
                yield features


def cropped(scores: Tensor, offset: int, like: Tensor) -> Tensor:
    """The part of ``(N, C, h, w)`` scores that begins at ``offset`` and is as large as another tensor."""
    height, width = like.shape[2:]
    return scores[:, :, offset : offset + height, offset : offset + width]
