"""Segmentation measures from a confusion matrix, as Long, Shelhamer and Darrell 2015 define them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ConfusionMatrix", "Scores"]


@dataclass(frozen=True)
class Scores:
    """The paper's four measures, fractions of 1.

    Both means are over the classes that the labels show, so that all predictions for one set of labels have means over
    the same classes. The reference ``score.py`` takes a class that is predicted somewhere and labeled nowhere into the
    mean, as a 0: one stray pixel would then cost a whole class's share of it, and one pixel less would gain as much.
    Such pixels are wrong in the classes that they were labeled as.

    Attributes:
        pixel_accuracy: Share of the pixels that are right.
        mean_accuracy: Mean over the classes of the share of a class's pixels that are right.
        mean_iou: Mean over the classes of intersection over union.
        fw_iou: Intersection over union weighted by how often a class occurs.
        per_class: Intersection over union of each class; None of a class that no label shows.
    """

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    fw_iou: float
    per_class: tuple[float | None, ...]

    @property
    def classes_present(self) -> int:
        """How many classes the means are over."""
        return sum(value is not None for value in self.per_class)


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all pixels seen.

    Args:
        classes: How many classes there are; ids are ``0 .. classes - 1``.

    Attributes:
        counts: ``(classes, classes)`` int64; row = true class, column = predicted class.
        missed: ``(classes,)`` int64; pixels of a true class for which the prediction was no class at all (``unknown``).
    """

    def __init__(self, classes: int) -> None:
        if classes < 2:
            raise ValueError(f"a confusion matrix needs at least 2 classes, not {classes}")
        self.classes = classes
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), np.int64)
        self.missed: NDArray[np.int64] = np.zeros(classes, np.int64)

    def update(self, labels: NDArray[np.uint8], predictions: NDArray[np.uint8]) -> ConfusionMatrix:
        """Count one image.

        Args:
            labels: ``(H, W)`` uint8 true classes; values outside the class ids (void) are ignored.
            predictions: ``(H, W)`` uint8 predicted classes; values outside the class ids count as wrong.

        Returns:
            Itself.

        Raises:
            ValueError: The shapes differ.
        """
        if labels.shape != predictions.shape:
            raise ValueError(f"labels are {labels.shape} and predictions {predictions.shape}; they must be alike")
        # one extra column takes every prediction that is no class; an extra row takes void and is dropped
        columns = self.classes + 1
        true = np.minimum(labels, self.classes).astype(np.int32)
        true *= columns
        true += np.minimum(predictions, self.classes)
        counts = np.bincount(true.ravel(), minlength=columns * columns).reshape(columns, columns)
        self.counts += counts[: self.classes, : self.classes]
        self.missed += counts[: self.classes, self.classes]
        return self

    def merge(self, others: Sequence[ConfusionMatrix]) -> ConfusionMatrix:
        """Add the counts of other matrices over the same classes; returns itself."""
        for other in others:
            self.counts += other.counts
            self.missed += other.missed
        return self

    def reset(self) -> None:
        """Forget everything counted."""
        self.counts[:] = 0
        self.missed[:] = 0

    def compute(self) -> Scores:
        """The measures over everything counted.

        Raises:
            ValueError: Nothing was counted: no pixel had a class.
        """
        right = np.diag(self.counts).astype(np.float64)
        true = (self.counts.sum(axis=1) + self.missed).astype(np.float64)
        predicted = self.counts.sum(axis=0).astype(np.float64)
        total = true.sum()
        if total == 0:
            raise ValueError("no pixel with a class was counted; every label is void")
        union = true + predicted - right
        shown = true > 0
        iou = np.divide(right, union, out=np.zeros_like(right), where=shown)
        accuracy = np.divide(right, true, out=np.zeros_like(right), where=shown)
        return Scores(
            pixel_accuracy=float(right.sum() / total),
            mean_accuracy=float(accuracy[shown].mean()),
            mean_iou=float(iou[shown].mean()),
            fw_iou=float((true * iou).sum() / total),
            per_class=tuple(float(value) if there else None for value, there in zip(iou, shown, strict=True)),
        )
