"""What the labels of a training show, found out before its first epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.errors import DatasetError
from fcn_edge.text import listed

__all__ = ["LabelCounts", "label_counts", "notes_on_labels", "require_scorable", "require_teachable"]

FEW_IMAGES = 5
"""Images, or a quarter of them, below which a class counts as rare in what is trained on."""

FEW_TO_JUDGE = 10
"""Images below which a validation says little."""


@dataclass(frozen=True)
class LabelCounts:
    """The pixels of a split's labels.

    Attributes:
        split: Name of the split.
        info: Its classes and void.
        pixels: ``(classes,)`` int64 pixels of each class.
        void: Pixels of the label void.
        images: How many images the split has.
        showing: ``(classes,)`` int64 images that show each class.
    """

    split: str
    info: DatasetInfo
    pixels: NDArray[np.int64]
    void: int
    images: int
    showing: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class among the labeled pixels, ``(classes,)``; 0 where nothing is labeled."""
        return np.asarray(self.pixels / max(1, int(self.pixels.sum())), np.float64)

    @property
    def present(self) -> int:
        """How many classes have a pixel."""
        return int(np.count_nonzero(self.pixels))

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes without a pixel."""
        return tuple(name for name, count in zip(self.info.classes, self.pixels, strict=True) if not count)

    @property
    def rare(self) -> tuple[str, ...]:
        """The classes that hardly an image shows, with the number of images that do."""
        few = min(FEW_IMAGES, math.ceil(self.images / 4))
        return tuple(
            f"{name} ({count} image{'s' * (count != 1)})"
            for name, count in zip(self.info.classes, self.showing.tolist(), strict=True)
            if 0 < count < few
        )

    @property
    def void_share(self) -> float:
        """Share of void among all pixels."""
        return self.void / max(1, self.void + int(self.pixels.sum()))


def label_counts(split: LabeledSplit) -> LabelCounts:
    """Count the pixels of every label of a split.

    Raises:
        DatasetError: A label file is damaged, or holds values that are neither class nor void.
    """
    counts, showing = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for sample in split:
        found = np.bincount(sample.labels().ravel(), minlength=256)
        counts += found
        showing += found > 0
    info, classes = split.info, len(split.info.classes)
    return LabelCounts(split.name, info, counts[:classes], int(counts[info.void]), len(split), showing[:classes])


def require_teachable(train: LabelCounts) -> None:
    """Refuse labels of one class or none: a network that says it everywhere is never wrong, and learns nothing.

    Raises:
        DatasetError: Fewer than two classes have a pixel.
    """
    if train.present >= 2:
        return
    there = [name for name, count in zip(train.info.classes, train.pixels, strict=True) if count]
    what = f"show {there[0]} alone, and no pixel of {listed(train.absent)}" if there else "show no class at all"
    raise DatasetError(
        f"The labels of {train.info.name} {train.split} {what}; {_void(train)}. Two classes or more were expected.",
        _way_out(train),
    )


def require_scorable(val: LabelCounts) -> None:
    """Refuse validation labels that are void alone.

    Raises:
        DatasetError: No class has a pixel.
    """
    if not val.present:
        raise DatasetError(
            f"The labels of {val.info.name} {val.split} cannot be scored: {_void(val)}.",
            "Check them with fcn-edge data check.",
        )


def notes_on_labels(train: LabelCounts, val: LabelCounts, *, alone: bool = True, balanced: bool = False) -> list[str]:
    """What is missing in labels that can be trained on, a sentence each.

    Args:
        train: Labels that are trained on.
        val: Labels that are validated on.
        alone: Nothing else shows classes: no rendered scenes and no teachers.
        balanced: Crops are laid around classes already.
    """
    notes = []
    if train.absent:
        notes.append(
            f"Warning: the labels of {train.split} have no pixel of {listed(train.absent)}, which will not be learned; "
            f"{_void(train)}. {_way_out(train)}"
        )
    if train.rare and alone:
        notes.append(
            f"Warning: hardly an image of {train.split} shows {listed(train.rare)}: little of it will be learned. "
            "Label more of these" + ("." if balanced else "; --balance 0.5 trains on what there is more often.")
        )
    if val.images < FEW_TO_JUDGE:
        notes.append(
            f"Warning: {val.split} has {val.images} image{'s' * (val.images != 1)}: its mIoU changes by points from "
            "one choice of images to the next. Hold back more (fcn-edge data import --val)."
        )
    if val.absent:
        notes.append(
            f"Warning: the labels of {val.split} have no pixel of {listed(val.absent)}: val mIoU is over "
            f"{val.present} of {len(val.info.classes)} classes, and says nothing about the others."
        )
    return notes


def _void(counts: LabelCounts) -> str:
    return f"{counts.void_share:.0%} of the pixels are void ({counts.info.void})"


def _way_out(counts: LabelCounts) -> str:
    if not counts.void:
        return "Check the ids of the labels against the order of the classes in dataset.toml with fcn-edge data check."
    return (
        f"Where {counts.info.void} was painted for a class, as in masks of 0 and 255, import the labels anew with "
        f"fcn-edge data import --map FILE, in which that class has the source {counts.info.void}."
    )
