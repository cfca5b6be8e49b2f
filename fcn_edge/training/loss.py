"""What training makes small: weighted cross-entropy, of all pixels or the hardest, and the Dice loss beside it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["SegmentationLoss"]

_SMOOTH = 1.0
"""Pixels added to both sides of the Dice ratio, so that a class of a few pixels has a gradient that is not wild."""


class SegmentationLoss:
    """Loss of class scores against labels.

    Args:
        class_weights: ``(classes,)`` float32 weights of the cross-entropy.
        void: Label that does not count.
        dice: Weight of the Dice loss (Milletari et al. 2016, V-Net), which is added to the cross-entropy; 0 leaves it
            out.
        hardest: Share of the labeled pixels, those with the largest cross-entropy, that the cross-entropy is taken over
            (online hard example mining, Shrivastava et al. 2016); 1 takes all.
    """

    def __init__(self, class_weights: Tensor, void: int, *, dice: float, hardest: float) -> None:
        self._weights, self._void = class_weights, void
        self._dice, self._hardest = dice, hardest

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of the labeled pixels times their number, so that the losses of micro-batches add up.

        Args:
            scores: ``(N, classes, H, W)`` float32.
            labels: ``(N, H, W)`` int64 class ids or void.

        Returns:
            A scalar; 0 where every label is void.
        """
        labeled = labels != self._void
        pixels = int(labeled.sum())
        loss = self._cross_entropy(scores, labels, pixels)
        if self._dice and pixels:
            loss = loss + self._dice * pixels * self._dice_loss(scores, labels, labeled)
        return loss

    def _cross_entropy(self, scores: Tensor, labels: Tensor, pixels: int) -> Tensor:
        kept = round(self._hardest * pixels)
        if kept == pixels or not pixels:
            return functional.cross_entropy(
                scores, labels, weight=self._weights, ignore_index=self._void, reduction="sum"
            )
        each = functional.cross_entropy(scores, labels, weight=self._weights, ignore_index=self._void, reduction="none")
        # void pixels have a loss of 0 and are never among the largest while there are enough others
        hardest = torch.topk(each.flatten(), max(1, kept), sorted=False).values
        return hardest.mean() * pixels

    def _dice_loss(self, scores: Tensor, labels: Tensor, labeled: Tensor) -> Tensor:
        """1 less the Dice ratio of each class that the labels hold, over the whole micro-batch; the mean of them."""
        classes = scores.shape[1]
        shares = torch.softmax(scores, 1).permute(0, 2, 3, 1)[labeled]
        right = labels[labeled]
        present = torch.bincount(right, minlength=classes)
        of_label = shares.gather(1, right[:, None])[:, 0]
        both = torch.zeros(classes).index_add(0, right, of_label)
        ratios = (2 * both + _SMOOTH) / (shares.sum(0) + present + _SMOOTH)
        return 1 - ratios[present > 0].mean()
