"""Durations of the last while, and their percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fcn_edge.metrics.durations import NS_PER_MS

__all__ = ["Window", "percentiles_ms"]


class Window:
    """Rows of durations that came within a window that slides, in memory that does not grow.

    Args:
        columns: Durations a row.
        window_ns: Length of the window in nanoseconds.
        most: Rows that are kept; where more come, the window is shorter.
    """

    def __init__(self, columns: int, window_ns: int, most: int = 2048) -> None:
        self._window_ns = window_ns
        self._times = np.zeros(most, np.int64)
        self._rows = np.zeros((most, columns), np.int64)
        self._next = 0
        self._filled = 0

    def add(self, now_ns: int, durations_ns: Sequence[int]) -> None:
        """Keep a row; ``now_ns`` is on any monotonic clock, the same for all calls."""
        self._times[self._next] = now_ns
        self._rows[self._next] = durations_ns
        self._next = (self._next + 1) % len(self._times)
        self._filled = min(self._filled + 1, len(self._times))

    def recent(self, now_ns: int) -> NDArray[np.int64]:
        """``(n, columns)`` int64 nanoseconds: a copy of the rows in the window that ends now, in any order."""
        recent = self._times[: self._filled] > now_ns - self._window_ns
        rows: NDArray[np.int64] = self._rows[: self._filled][recent]
        return rows


def percentiles_ms(durations_ns: NDArray[np.int64], percents: Sequence[int]) -> dict[str, float | None]:
    """The durations that so many percent do not exceed (nearest rank), in milliseconds to 0.1; None without any.

    Args:
        durations_ns: ``(n,)`` int64 nanoseconds.
        percents: From 1 to 100.
    """
    if not len(durations_ns):
        return {f"p{percent}": None for percent in percents}
    ordered = np.sort(durations_ns)
    ranks = [max(math.ceil(percent / 100 * len(ordered)), 1) for percent in percents]
    return {
        f"p{percent}": round(int(ordered[rank - 1]) / NS_PER_MS, 1)
        for percent, rank in zip(percents, ranks, strict=True)
    }
