"""What the labels of a training show, found out before its first epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.errors import DatasetError
from fcn_edge.text import listed

__all__ = ["LabelCounts", "label_counts", "notes_on_labels", "require_scorable", "require_teachable"]


@dataclass(frozen=True)
class LabelCounts:
    """The pixels of a split's labels.

    Attributes:
        split: Name of the split.
        info: Its classes and void.
        pixels: ``(classes,)`` int64 pixels of each class.
        void: Pixels of the label void.
    """

    split: str
    info: DatasetInfo
    pixels: NDArray[np.int64]
    void: int

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
    def void_share(self) -> float:
        """Share of void among all pixels."""
        return self.void / max(1, self.void + int(self.pixels.sum()))


def label_counts(split: LabeledSplit) -> LabelCounts:
    """Count the pixels of every label of a split.

    Raises:
        DatasetError: A label file is damaged, or holds values that are neither class nor void.
    """
    counts = np.zeros(256, np.int64)
    for sample in split:
        counts += np.bincount(sample.labels().ravel(), minlength=256)
    info = split.info
    return LabelCounts(split.name, info, counts[: len(info.classes)], int(counts[info.void]))


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


def notes_on_labels(train: LabelCounts, val: LabelCounts) -> list[str]:
    """What is missing in labels that can be trained on, a sentence each."""
    notes = []
    if train.absent:
        notes.append(
            f"Warning: the labels of {train.split} have no pixel of {listed(train.absent)}, which will not be learned; "
            f"{_void(train)}. {_way_out(train)}"
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
