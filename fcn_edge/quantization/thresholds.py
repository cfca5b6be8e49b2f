"""Where to clip a tensor before it is quantized to 8 bits: min-max, percentile, entropy and mean squared error.

- min-max: nothing is clipped.
- percentile: a hundredth of a percent is clipped at each end (McKinstry et al. 2018).
- entropy: the threshold whose quantized distribution is nearest to the original one by Kullback-Leibler divergence
  (Migacz 2017, "8-bit inference with TensorRT").
- mse: the range with the least squared error of quantization, rounding and clipping together (Sung et al. 2015), of
  those that clip both ends by the same share.

All work on the histogram, so that their cost does not depend on the number of images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import METHODS, Method
from fcn_edge.quantization.histogram import BINS, Histogram

__all__ = ["Range", "clipping_of"]

TAIL = 1e-4
"""Share of the values that percentile clips at each end."""

_LEVELS = 128
_ENTROPY_STEP = 8
_SHRINKINGS = np.linspace(0.2, 1.0, 81)


@dataclass(frozen=True)
class Range:
    """What the 8 bits of a tensor span; what lies beyond is clipped.

    Attributes:
        low: Lower end for 256 levels that may lie anywhere, <= 0.
        high: Upper end for those, >= 0.
        amax: Largest absolute value for 255 levels symmetric about zero, > 0 unless the tensor is zero.
    """

    low: float
    high: float
    amax: float


def clipping_of(histogram: Histogram, method: Method) -> Range:
    """The clipping of a tensor.

    Args:
        histogram: Histogram of the tensor, with at least one value.
        method: How to find it.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; choose from {', '.join(METHODS)}")
    # a range always holds zero: padding and skipped pixels are zero, and must stay so
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    amax = max(-low, high)
    if amax == 0.0 or method == "minmax" or histogram.counts.sum() == 0:
        return Range(low, high, amax)
    if method == "percentile":
        low, high = _percentile(histogram, low, high)
        return Range(low, high, max(-low, high))
    if method == "entropy":
        amax = min(amax, _entropy(histogram))
        return Range(max(low, -amax), min(high, amax), amax)
    low, high = _least_error(histogram, low, high, symmetric=False)
    return Range(low, high, _least_error(histogram, -amax, amax, symmetric=True)[1])


def _percentile(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    counts = histogram.counts.copy()
    counts[BINS // 2] += histogram.zeros
    share = np.cumsum(counts) / counts.sum()
    width = 2 * histogram.reach / BINS
    first = int(np.searchsorted(share, TAIL, side="right"))
    last = int(np.searchsorted(share, 1 - TAIL))
    left = (first - BINS // 2) * width
    right = (last + 1 - BINS // 2) * width
    return min(0.0, max(low, left)), max(0.0, min(high, right))


def _entropy(histogram: Histogram) -> float:
    """The threshold on absolute values with the least divergence."""
    counts = histogram.magnitudes().astype(np.float64)
    width = 2 * histogram.reach / BINS
    used = int(np.flatnonzero(counts)[-1]) + 1
    best, threshold = np.inf, used
    for bins in (*range(min(_LEVELS, used), used, _ENTROPY_STEP), used):
        inside = counts[:bins]
        reference = inside.copy()
        reference[-1] += counts[bins:].sum()  # what is clipped gathers at the threshold
        level = np.arange(bins) * _LEVELS // bins
        occupied = inside > 0
        sums = np.bincount(level, inside, _LEVELS)
        members = np.bincount(level, occupied, _LEVELS)
        quantized = np.where(occupied, (sums / np.maximum(members, 1))[level], 0.0)
        divergence = _divergence(reference, quantized)
        if divergence < best:
            best, threshold = divergence, bins
    return threshold * width


def _divergence(reference: NDArray[np.float64], quantized: NDArray[np.float64]) -> float:
    """Kullback-Leibler divergence of two histograms; infinite where the second misses all that the first has."""
    total = quantized.sum()
    if total == 0:
        return float(np.inf)
    p = reference / reference.sum()
    # a little everywhere, so that a bin that only the reference fills costs much and not infinitely much
    q = np.maximum(quantized / total, 1e-12)
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / q[there])))


def _least_error(histogram: Histogram, low: float, high: float, *, symmetric: bool) -> tuple[float, float]:
    """The range whose quantization to 8 bits errs least in the square, of those that shrink both ends alike."""
    used = histogram.counts > 0
    counts, centers = histogram.counts[used], histogram.centers()[used]
    best, found = np.inf, (low, high)
    for shrinking in _SHRINKINGS:
        left, right = low * shrinking, high * shrinking
        if symmetric:
            scale = right / 127
            rounded = np.clip(np.rint(centers / scale), -127, 127) * scale
        else:
            scale = (right - left) / 255
            zero = np.rint(-left / scale)
            rounded = (np.clip(np.rint(centers / scale) + zero, 0, 255) - zero) * scale
        error = float(np.sum(counts * (centers - rounded) ** 2))
        if error <= best:
            best, found = error, (left, right)
    return found
