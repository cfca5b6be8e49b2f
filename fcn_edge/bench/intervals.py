"""Confidence intervals that a single bad round does not move, from rank statistics.

Rounds are few and their times are skewed, so that nothing is assumed of their distribution: the median of one run's
rounds lies between two of them (the sign test's interval, Thompson 1936), the ratio of two runs between two ratios of
their rounds (Hodges and Lehmann 1963, from the test of Mann and Whitney 1947). Both are exact for the number of rounds
that there are, and say which confidence they reach: three rounds cannot give 95%.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = ["CONFIDENCE", "Interval", "median_interval", "ratio_interval"]

CONFIDENCE = 0.95
"""Confidence that intervals have where there are rounds enough: six of one run, four of each of two."""


@dataclass(frozen=True)
class Interval:
    """Where a value lies.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        confidence: How sure that is, 0 to 1: at least ``CONFIDENCE`` where there are rounds enough, less where not.
    """

    low: float
    high: float
    confidence: float


def median_interval(values: Sequence[float]) -> Interval:
    """Where the median lies of which a run's rounds are samples: between two of the rounds (Thompson 1936).

    Of nine rounds the fastest and the slowest are left out, so that one disturbed round does not widen the interval.

    Args:
        values: One value for each round, at least one. One alone gives an interval of no width and no confidence.
    """
    ordered = sorted(values)
    drop, confidence = _dropped([math.comb(len(ordered), below) for below in range(len(ordered) + 1)])
    return Interval(ordered[drop], ordered[-1 - drop], confidence)


def ratio_interval(before: Sequence[float], after: Sequence[float]) -> Interval:
    """By which factor the rounds of one run differ from those of another.

    The interval lies between two of the ratios of all pairs of rounds (Hodges and Lehmann 1963).

    Args:
        before: One positive value for each round of the first run, at least one.
        after: The same of the second run; there may be more or fewer.

    Returns:
        Interval of ``after / before``; 1 means no change.
    """
    ratios = np.sort(np.divide.outer(np.asarray(after, float), np.asarray(before, float)), axis=None)
    drop, confidence = _dropped(_rank_sum_counts(len(before), len(after)))
    return Interval(float(ratios[drop]), float(ratios[len(ratios) - 1 - drop]), confidence)


def _dropped(counts: Sequence[int]) -> tuple[int, float]:
    """How many values an interval leaves out at each end, and the confidence that is left.

    Args:
        counts: In how many of all equally likely orders a rank statistic has the value 0, 1, 2, ...
    """
    whole = sum(counts)
    drop, tail = 0, counts[0]
    while 2 * (tail + counts[drop + 1]) <= (1 - CONFIDENCE) * whole:
        drop += 1
        tail += counts[drop]
    return drop, max(0.0, 1 - 2 * tail / whole)


@cache
def _rank_sum_counts(first: int, second: int) -> tuple[int, ...]:
    """In how many orders of two groups so many pairs stand in the wrong order: 0, 1, 2, ..."""
    if not first or not second:
        return (1,)
    counts = [0] * (first * second + 1)
    for shift, part in ((second, _rank_sum_counts(first - 1, second)), (0, _rank_sum_counts(first, second - 1))):
        for place, ways in enumerate(part):
            counts[place + shift] += ways
    assert sum(counts) == math.comb(first + second, first)
    return tuple(counts)
