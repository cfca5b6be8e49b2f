"""Percentiles of durations, in memory that does not grow with their number."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["NS_PER_MS", "NS_PER_S", "NS_PER_US", "Durations"]

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Durations:
    """Percentiles of any number of durations, each within 0.5%.

    A histogram with bins of equal ratio (1.01) from 100 ns to 100 000 s, so that an hour-long stream costs as much
    memory as a short one; what lies outside counts into the outermost bins.
    """

    _RATIO = math.log(1.01)
    _SHORTEST_NS = 100
    _BINS = math.ceil(math.log(1e14 / _SHORTEST_NS) / _RATIO)

    def __init__(self) -> None:
        self._counts = np.zeros(self._BINS, np.int64)

    def add(self, duration_ns: int) -> None:
        """Count one duration."""
        place = math.log(max(duration_ns, self._SHORTEST_NS) / self._SHORTEST_NS) / self._RATIO
        self._counts[min(int(place), self._BINS - 1)] += 1

    def percentile_ms(self, percent: float) -> float | None:
        """The duration that ``percent`` percent do not exceed (nearest rank), in milliseconds; None without any."""
        total = int(self._counts.sum())
        if not total:
            return None
        rank = max(math.ceil(percent / 100 * total), 1)
        place = int(np.searchsorted(np.cumsum(self._counts), rank))
        return round(self._SHORTEST_NS * math.exp((place + 0.5) * self._RATIO) / NS_PER_MS, 4)
