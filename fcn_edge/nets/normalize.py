"""The first step of every graph: a uint8 BGR image to the encoder's normalized input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fcn_edge.artifacts.spec import Normalization

__all__ = ["Normalize"]


class Normalize(nn.Module):
    """``(image - mean) / std`` in the encoder's color order.

    Args:
        normalization: Color order, mean and standard deviation on the 0 to 255 scale.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, normalization: Normalization) -> None:
        super().__init__()
        self.flips = normalization.color_order == "rgb"
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(normalization.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized ``(N, 3, H, W)`` float32 of ``(N, H, W, 3)`` uint8 BGR images."""
        pixels = images.permute(0, 3, 1, 2)
        if self.flips:
            pixels = pixels.flip(1)
        return (pixels.float() - self.mean) * self.scale
