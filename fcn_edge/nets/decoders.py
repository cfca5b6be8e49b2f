"""Decoders of Long, Shelhamer and Darrell 2015 ("Fully Convolutional Networks for Semantic Segmentation").

A decoder scores the encoder's feature maps with 1x1 convolutions and sums the scores from coarse to fine, doubling
the grid by bilinear interpolation each time. It ends at the class scores at its own stride; the last, large bilinear
upsampling belongs to ``ops.decode`` (or to the ``labels`` head of an exported model).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.errors import UsageError

__all__ = ["Decoder", "decoder"]


class Decoder(nn.Module):
    """FCN-32s, FCN-16s or FCN-8s over any encoder.

    ``score32``, ``score16`` and ``score8`` are the class scores of the stride-32, 16 and 8 feature maps; a decoder
    has those down to its own stride. Skip scores start at zero, as in the paper, so that a finer decoder begins with
    the predictions of the coarser one that it was initialized from.

    Args:
        channels: Channels of the encoder's feature maps at strides 8, 16 and 32.
        classes: How many classes to score.
        stride: 32, 16 or 8.
    """

    def __init__(self, channels: tuple[int, int, int], classes: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.score32 = nn.Conv2d(channels[2], classes, 1)
        nn.init.normal_(self.score32.weight, std=0.01)
        nn.init.zeros_(self.score32.bias)  # type: ignore[arg-type]
        self.score16 = _skip_score(channels[1], classes) if stride <= 16 else None
        self.score8 = _skip_score(channels[0], classes) if stride <= 8 else None

    def forward(self, stride8: Tensor, stride16: Tensor, stride32: Tensor) -> Tensor:
        """Class scores ``(N, classes, H / stride, W / stride)`` float32 of the three feature maps."""
        scores: Tensor = self.score32(stride32)
        if self.score16 is not None:
            scores = _doubled(scores) + self.score16(stride16)
        if self.score8 is not None:
            scores = _doubled(scores) + self.score8(stride8)
        return scores


def _skip_score(channels: int, classes: int) -> nn.Conv2d:
    score = nn.Conv2d(channels, classes, 1)
    nn.init.zeros_(score.weight)
    nn.init.zeros_(score.bias)  # type: ignore[arg-type]
    return score


def _doubled(scores: Tensor) -> Tensor:
    """Bilinear x2 upsampling on pixel centers (``align_corners=False``, ONNX ``half_pixel``)."""
    return functional.interpolate(scores, scale_factor=2.0, mode="bilinear", align_corners=False)


def decoder(name: str, channels: tuple[int, int, int], classes: int) -> Decoder:
    """A freshly initialized decoder.

    Args:
        name: ``fcn32s``, ``fcn16s`` or ``fcn8s``.
        channels: Channels of the encoder's feature maps at strides 8, 16 and 32.
        classes: How many classes to score.

    Raises:
        UsageError: There is no decoder of that name.
    """
    if name not in DECODER_STRIDES:
        raise UsageError(f"There is no decoder named {name!r}.", f"Choose one of: {', '.join(DECODER_STRIDES)}.")
    return Decoder(channels, classes, DECODER_STRIDES[name])
