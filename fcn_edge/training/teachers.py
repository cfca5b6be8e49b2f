"""Distillation: what trained networks see in an image, for a smaller one to learn beside the labels.

A label says which class a pixel is; a trained network also says which others it could be, and says it of images that
nobody labeled (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; per cell, as in Liu et al. 2019,
"Structured Knowledge Distillation for Semantic Segmentation").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from fcn_edge.training.teacher_nets import Teacher

__all__ = ["Teachers"]

STRIDE = 8
"""Pixels of a cell that the teachers speak of, along each axis."""


class Teachers:
    """Networks that are asked together: the mean of what they say, of each image and of its mirror image.

    Args:
        teachers: The networks.
        temperature: What scores are divided by before they become probabilities, for teachers and pupil alike; above 1
            the classes that a teacher leaves behind count more.
        shift: ``(classes,)`` float32, added to the teachers' scores: the class weights that were taken back from them
            and that the pupil still has in its own (``training/prior.py``).
    """

    def __init__(self, teachers: Sequence[Teacher], temperature: float, shift: Tensor) -> None:
        self._teachers = tuple(teachers)
        self._temperature, self._shift = temperature, shift.view(1, -1, 1, 1)

    @torch.no_grad()
    def soft_labels(self, images: Tensor) -> Tensor:
        """Probabilities, ``(N, classes, H / 8, W / 8)`` float32, of ``(N, H, W, 3)`` uint8 BGR images."""
        views = []
        for teacher in self._teachers:
            for mirrored in (False, True):
                scores = teacher.scores(images.flip(2) if mirrored else images)
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


def _cells(scores: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(scores, size=(height, width), mode="bilinear", align_corners=False)
