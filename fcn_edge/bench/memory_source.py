"""Frames that lie in memory, as a source: what is timed is the pipeline and no decoder of videos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.runtime.sources.base import Connection, EndOfSource, Picture

__all__ = ["MemorySource"]


class MemorySource(Connection):
    """A source of frames in memory.

    Args:
        frames: ``(N, H, W, 3)`` uint8 BGR, from the first again after the last.
        count: How many it gives.
    """

    def __init__(self, frames: NDArray[np.uint8], count: int) -> None:
        super().__init__("memory://frames")
        self._frames, self._left = frames, count

    @override
    def _connect(self, timeout: float | None) -> None:
        height, width = self._frames[0].shape[:2]
        self.size, self.length = (height, width), self._left

    @override
    def _next(self, timeout: float) -> Picture | None:
        if not self._left:
            raise EndOfSource
        self._left -= 1
        return Picture(self._frames[self._left % len(self._frames)])
