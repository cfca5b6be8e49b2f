"""A histogram of values that come in pieces, of any range, in bounded memory.

Bins cover ``[-reach, reach)`` with ``reach`` a power of two. Values beyond it double the reach, and neighboring bins
are merged, which is exact: so the result depends neither on the order of the pieces nor on how they were cut. (Float32
must hold a value divided by the reach: values 2**160 times smaller than the largest may count as zeros of either sign.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "Histogram"]

BINS = 4096
"""Bins over the whole range, negative and positive: at least 1024 lie within the largest absolute value."""

_LEAST_EXPONENT = -24
_PIECE = 1 << 20
"""Values binned at once, so that the work arrays stay in the processor's cache."""


class Histogram:
    """Counts of float values.

    Attributes:
        counts: ``(BINS,)`` int64; exact zeros are not in it.
        zeros: Number of values that are exactly zero, which every quantization holds exactly.
        total: Number of values, zeros included.
        low: Smallest value; infinity before the first.
        high: Largest value; minus infinity before the first.
        reach: Power of two; the bins cover ``[-reach, reach)``.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.zeros = 0
        self.total = 0
        self.low, self.high = math.inf, -math.inf
        self.reach = 2.0**_LEAST_EXPONENT

    def add(self, values: NDArray[np.float32]) -> None:
        """Count the values of an array of any shape, at least one; all must be finite."""
        flat = values.reshape(-1)
        low, high = float(flat.min()), float(flat.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self._reach_out(low, high)
        scale = np.float32(BINS / (2 * self.reach))
        for start in range(0, flat.size, _PIECE):
            piece = flat[start : start + _PIECE]
            # multiplying by a power of two is exact; adding half the bins before taking the floor would not be
            bins = np.floor(piece * scale).astype(np.int32) + BINS // 2
            self.counts += np.bincount(bins, minlength=BINS)
            zeros = piece.size - int(np.count_nonzero(piece))
            self.zeros += zeros
            self.counts[BINS // 2] -= zeros
        self.total += flat.size

    def centers(self) -> NDArray[np.float64]:
        """``(BINS,)`` middle of each bin."""
        width = 2 * self.reach / BINS
        return np.asarray((np.arange(BINS) - BINS // 2 + 0.5) * width, np.float64)

    def rms(self) -> float:
        """Root of the mean square, to the width of a bin; no sum of floats, so that no number of threads changes it."""
        return float(np.sqrt(np.sum(self.counts * self.centers() ** 2) / max(1, self.total)))

    def magnitudes(self) -> NDArray[np.int64]:
        """``(BINS // 2,)`` counts of absolute values, from zero to the reach."""
        half = BINS // 2
        return np.asarray(self.counts[half:] + self.counts[:half][::-1], np.int64)

    def _reach_out(self, low: float, high: float) -> None:
        while low < -self.reach or high >= self.reach:
            half = BINS // 2
            # bin i of the old range lies in bin half / 2 + i // 2 of the doubled one
            merged = np.zeros(BINS, np.int64)
            merged[half // 2 : half // 2 + half] = self.counts.reshape(half, 2).sum(axis=1)
            self.counts = merged
            self.reach *= 2
