"""A histogram of durations over a whole run, as Prometheus counts them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["BOUNDS_MS", "Buckets"]

BOUNDS_MS = (1, 2, 3, 5, 8, 12, 20, 33, 50, 75, 100, 150, 250, 500, 1000, 2000)
"""Upper bounds: from a stage on a GPU to a network on a small processor, denser where frame times of cameras are."""

_BOUNDS_NS = tuple(bound * 1_000_000 for bound in BOUNDS_MS)


class Buckets:
    """How many durations there were up to each bound.

    Attributes:
        sum_ns: All of them together, nanoseconds.
    """

    def __init__(self) -> None:
        self.sum_ns = 0
        self._counts = [0] * (len(_BOUNDS_NS) + 1)

    def add(self, duration_ns: int) -> None:
        """Count one duration."""
        self._counts[bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self.sum_ns += duration_ns

    @property
    def sum_seconds(self) -> float:
        """All of them together, seconds."""
        return self.sum_ns / NS_PER_S

    def cumulative(self) -> list[tuple[str, int]]:
        """``(upper bound in seconds, durations up to it)``, the last one ``+Inf``."""
        bounds = [*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))

    def copy(self) -> Buckets:
        """One that is not counted on."""
        copied = Buckets()
        copied.sum_ns, copied._counts = self.sum_ns, list(self._counts)
        return copied
