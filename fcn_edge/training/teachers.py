"""Distillation: what trained networks see in an image, for a smaller one to learn beside the labels.

A label says which class a pixel is; a trained network also says which others it could be, and says it of images that
nobody labeled (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; per cell, as in Liu et al. 2019,
"Structured Knowledge Distillation for Semantic Segmentation").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import UsageError
from fcn_edge.nets.checkpoints import load_checkpoint
from fcn_edge.nets.fcn import FCN
from fcn_edge.nets.normalize import Normalize
from fcn_edge.training.mixed_precision import MixedPrecision

__all__ = ["Teachers"]

STRIDE = 8
"""Pixels of a cell that the teachers speak of, along each axis."""


class Teachers:
    """Networks that are asked together: the mean of what they say, of each image and of its mirror image.

    Args:
        nets: The networks, each with one decoder, and their specs.
        temperature: What scores are divided by before they become probabilities, for teachers and pupil alike; above 1
            the classes that a teacher leaves behind count more.
        shift: ``(classes,)`` float32, added to the teachers' scores: the class weights that were taken back from them
            and that the pupil still has in its own (``training/prior.py``).
        bfloat16: Compute the convolutions in bfloat16.
    """

    def __init__(
        self, nets: Sequence[tuple[FCN, ModelSpec]], temperature: float, shift: Tensor, bfloat16: bool = False
    ) -> None:
        self._nets = [
            (
                net.eval().to(memory_format=torch.channels_last),  # type: ignore[call-overload]
                Normalize(spec.normalization),
                MixedPrecision(net, enabled=bfloat16),
            )
            for net, spec in nets
        ]
        self._temperature, self._shift = temperature, shift.view(1, -1, 1, 1)

    @torch.no_grad()
    def soft_labels(self, images: Tensor) -> Tensor:
        """Probabilities, ``(N, classes, H / 8, W / 8)`` float32, of ``(N, H, W, 3)`` uint8 BGR images."""
        views = []
        for net, normalize, precision in self._nets:
            for mirrored in (False, True):
                seen = normalize(images.flip(2) if mirrored else images)
                (scores,) = precision.scores(net, seen.contiguous(memory_format=torch.channels_last)).values()
                cells = _cells(scores.contiguous(), images.shape[1] // STRIDE, images.shape[2] // STRIDE)
                shares = torch.softmax((cells + self._shift) / self._temperature, 1)
                views.append(shares.flip(3) if mirrored else shares)
        return torch.stack(views).mean(0)

    def loss(self, scores: Tensor, soft_labels: Tensor, inside: Tensor) -> Tensor:
        """Mean over the cells inside the images of the divergence of the pupil's probabilities from the soft labels.

        What lies beyond the edges of an image shows nothing and is not taught. The mean is multiplied by the square of
        the temperature, so that its gradient does not shrink with that.

        Args:
            scores: ``(N, classes, h, w)`` float32 of the pupil, of any stride.
            soft_labels: What ``soft_labels`` gave for the same images.
            inside: ``(N, H, W)`` uint8, 0 beyond the edges of the image; a cell counts if its center is inside.

        Returns:
            A scalar; 0 where no cell counts.
        """
        cells = _cells(scores.contiguous(), soft_labels.shape[2], soft_labels.shape[3])
        shares = torch.log_softmax(cells / self._temperature, 1)
        each = functional.kl_div(shares, soft_labels, reduction="none").sum(1)
        taught = each[inside[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE] > 0]
        return taught.sum() / max(1, taught.numel()) * self._temperature**2

    @classmethod
    def of(
        cls, paths: Sequence[Path], classes: tuple[str, ...], temperature: float, shift: Tensor, bfloat16: bool = False
    ) -> Teachers:
        """The teachers of checkpoints.

        Raises:
            CheckpointError: A file is no checkpoint.
            UsageError: A network has other classes than ``classes``.
        """
        nets = [load_checkpoint(path) for path in paths]
        for path, (_, spec) in zip(paths, nets, strict=True):
            if spec.classes != classes:
                raise UsageError(
                    f"The teacher {path} has other classes than the data set.",
                    "Give a checkpoint that was trained on the same classes, in the same order.",
                )
        return cls(nets, temperature, shift, bfloat16)


def _cells(scores: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(scores, size=(height, width), mode="bilinear", align_corners=False)
