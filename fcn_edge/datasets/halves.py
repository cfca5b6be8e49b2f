"""A split in two halves that never change: one to choose on, the other to judge the choice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from fcn_edge.datasets.base import LabelledSplit
from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.errors import DatasetError

__all__ = ["Part", "halves_of"]


class Part:
    """Some samples of a split, in its order.

    Args:
        whole: The split.
        numbers: Positions of the samples.
    """

    def __init__(self, whole: LabelledSplit, numbers: tuple[int, ...]) -> None:
        self._whole, self._numbers = whole, numbers

    @property
    def name(self) -> str:
        """What the whole split is called."""
        return self._whole.name

    @property
    def info(self) -> DatasetInfo:
        """Classes, void and palette."""
        return self._whole.info

    @property
    def rendered(self) -> bool:
        """Whether the images are rendered."""
        return self._whole.rendered

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Any:
        return self._whole[self._numbers[index]]

    def __iter__(self) -> Iterator[Any]:
        return (self._whole[number] for number in self._numbers)


def halves_of(split: LabelledSplit) -> tuple[Part, Part]:
    """Two parts of about one size: by a hash of each sample's name, so that every run and machine agrees.

    Raises:
        DatasetError: There are too few samples for two parts.
    """
    sides: tuple[list[int], list[int]] = ([], [])
    for number, sample in enumerate(split):
        sides[hashlib.sha256(sample.name.encode()).digest()[0] % 2].append(number)
    if not (sides[0] and sides[1]):
        raise DatasetError(
            f"{split.info.name} {split.name} has {len(split)} images, too few to choose on one half and judge on the "
            "other.",
            "Give more labelled images.",
        )
    return Part(split, tuple(sides[0])), Part(split, tuple(sides[1]))
