"""The shares of the classes in the newest mask, counted when somebody looks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.segmentation import class_shares

__all__ = ["Shares"]

EVERY_NS = NS_PER_S // 2


class Shares:
    """The newest mask of a source, and its shares as they were at most half a second ago.

    A mask is counted by whoever asks, so that it costs the run nothing. Any thread may use it.
    """

    def __init__(self) -> None:
        self._newest: tuple[NDArray[np.uint8], tuple[str, ...]] | None = None
        self._counted: tuple[NDArray[np.uint8], int, Mapping[str, float]] | None = None

    def offer(self, labels: NDArray[np.uint8], classes: tuple[str, ...]) -> None:
        """A mask has come.

        Args:
            labels: ``(H, W)`` uint8 class ids; nobody may write into it any more.
            classes: Names of the classes, by id.
        """
        self._newest = labels, classes

    def fractions(self, now_ns: int) -> Mapping[str, float]:
        """Shares of all pixels by class name, as fractions of 1; empty before the first mask.

        Args:
            now_ns: Now, on any monotonic clock, the same for all calls.
        """
        # each is read once: threads put in new ones meanwhile
        newest, counted = self._newest, self._counted
        if newest is None:
            return {}
        labels, classes = newest
        if counted is None or (labels is not counted[0] and now_ns - counted[1] >= EVERY_NS):
            counted = labels, now_ns, class_shares(labels, classes)
            self._counted = counted
        return counted[2]
