"""What every data set is to those who use it, be it files or rendered scenes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.info import DatasetInfo

__all__ = ["LabeledSample", "LabeledSplit"]


class LabeledSample(Protocol):
    """One image with its labels, read or drawn when it is asked for."""

    @property
    def name(self) -> str:
        """What the sample is called; differs within a split."""

    def image(self) -> NDArray[np.uint8]:
        """The image, ``(H, W, 3)`` uint8 BGR."""

    def labels(self) -> NDArray[np.uint8]:
        """The class ids, ``(H, W)`` uint8."""

    def pair(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image and labels, of one size."""


class LabeledSplit(Protocol):
    """Samples in a fixed order, with what they share."""

    @property
    def name(self) -> str:
        """What the split is called, such as ``val``."""

    @property
    def info(self) -> DatasetInfo:
        """Classes, void and palette."""

    @property
    def rendered(self) -> bool:
        """Whether the images are rendered, so that no accuracy on real ones follows."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...
