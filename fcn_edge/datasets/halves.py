"""A split in two halves that never change: one to choose on, the other to judge the choice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from fcn_edge.datasets.base import LabeledSplit
from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.errors import DatasetError

__all__ = ["Part", "halves_of"]


class Part:
    """Some samples of a split, in its order.

    Args:
        whole: The split.
        numbers: Positions of the samples.
        which: What to add to the split's name, such as ``one half``; nothing when empty.
    """

    def __init__(self, whole: LabeledSplit, numbers: tuple[int, ...], which: str = "") -> None:
        self._whole, self._numbers, self._which = whole, numbers, which

    @property
    def name(self) -> str:
        """What the whole split is called, and which part of it this is."""
        return f"{self._whole.name} ({self._which})" if self._which else self._whole.name

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


def halves_of(split: LabeledSplit) -> tuple[Part, Part]:
    """Two parts of one size: by a hash of each sample's name, so that every run and machine agrees.

    Of an odd number the second part, which judges, has one more.

    Raises:
        DatasetError: There are fewer than two samples.
    """
    count = len(split)
    if count < 2:
        raise DatasetError(
            f"{split.info.name} {split.name} has {'one image' if count else 'no images'}; two or more were expected, "
            "to choose on one half and judge on the other.",
            "Give more labeled images.",
        )
    hashes = [hashlib.sha256(sample.name.encode()).digest() for sample in split]
    drawn = sorted(range(count), key=hashes.__getitem__)
    one, other = sorted(drawn[: count // 2]), sorted(drawn[count // 2 :])
    return Part(split, tuple(one), "one half"), Part(split, tuple(other), "the other half")
