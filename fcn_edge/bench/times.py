"""Many times to the few numbers that a table has."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from fcn_edge.bench.intervals import median_interval
from fcn_edge.bench.result import Distribution, Throughput
from fcn_edge.metrics.durations import NS_PER_MS

__all__ = ["distribution_of", "round_median_ms", "throughput_of"]

_DIGITS = 4


def round_median_ms(times_ns: Sequence[int]) -> float:
    """Median of a round's frames, in milliseconds."""
    return round(statistics.median(times_ns) / NS_PER_MS, _DIGITS)


def distribution_of(rounds: Sequence[Sequence[int]]) -> Distribution:
    """What the frames of all rounds took.

    Args:
        rounds: Nanoseconds of each frame, round by round; none of them empty.
    """
    medians = [round_median_ms(times) for times in rounds]
    interval = median_interval(medians)
    frames = np.concatenate([np.asarray(times, float) for times in rounds]) / NS_PER_MS
    # the smallest time that so many percent of the frames do not exceed, not one in between that no frame took
    percentiles = [round(float(value), _DIGITS) for value in np.percentile(frames, range(101), method="inverted_cdf")]
    return Distribution(
        mean=round(float(frames.mean()), _DIGITS),
        p50=round(statistics.median(medians), _DIGITS),
        p90=percentiles[90],
        p95=percentiles[95],
        p99=percentiles[99],
        min=percentiles[0],
        max=percentiles[100],
        interval=(interval.low, interval.high),
        confidence=round(interval.confidence, _DIGITS),
        rounds=tuple(medians),
        frames=len(frames),
        percentiles=tuple(percentiles),
    )


def throughput_of(fps: Sequence[float]) -> Throughput:
    """Frames a second of the rounds."""
    rounds = [round(value, _DIGITS) for value in fps]
    interval = median_interval(rounds)
    return Throughput(
        fps=round(statistics.median(rounds), _DIGITS),
        interval=(interval.low, interval.high),
        confidence=round(interval.confidence, _DIGITS),
        rounds=tuple(rounds),
    )
