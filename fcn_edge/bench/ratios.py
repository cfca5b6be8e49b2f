"""By which factor the times of one run differ from those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from fcn_edge.bench.intervals import CONFIDENCE, ratio_interval

__all__ = ["LEAST_ROUNDS", "Ratio", "ratio_of"]

LEAST_ROUNDS = 3
"""Rounds that each run needs: of two, one that is disturbed decides everything."""

_ROUNDS_TO_JUDGE = 7
"""From so many rounds on, a single one can be told to be disturbed."""

_DISTURBED = 3.5
"""Robust standard deviations from the median at which a round counts as disturbed."""


@dataclass(frozen=True)
class Ratio:
    """By which factor the second run's times differ from the first's; 1 means no change.

    Attributes:
        center: The estimate of Hodges and Lehmann (1963): the median of the ratios of all pairs of rounds.
        low: Lower end of its interval.
        high: Upper end.
        confidence: How sure that is, 0 to 1: 0.95 and a little more from four rounds on. Leaving rounds out costs some
            of it: of simulated runs of nine rounds, 94% held their ratio.
        left_out: Rounds of the first and of the second run that were disturbed.
    """

    center: float
    low: float
    high: float
    confidence: float
    left_out: tuple[int, int]

    def together(self, count: int) -> tuple[float, float]:
        """The interval as wide as it must be where several ratios are looked at, so that chance has more tries.

        It is stretched about its center as an interval of the normal distribution is by Bonferroni's correction: more
        extreme ranks would reach the rounds that were disturbed, and few rounds have none.

        Args:
            count: How many are looked at, at least 1.
        """
        wanted = _normal(1 - (1 - CONFIDENCE) / count)
        stretch = max(1.0, wanted / _normal(self.confidence))
        return self.center * (self.low / self.center) ** stretch, self.center * (self.high / self.center) ** stretch


def ratio_of(before: Sequence[float], after: Sequence[float]) -> Ratio | None:
    """The ratio of two runs' rounds.

    Where a run has seven rounds or more, those more than 3.5 robust standard deviations from the median of theirs are
    left out (Hampel 1974): on a shared machine some are disturbed by whatever else runs there.

    Args:
        before: One positive value for each round of the first run.
        after: The same of the second run.

    Returns:
        Ratio of ``after`` to ``before``; None where a run has fewer than ``LEAST_ROUNDS``, or a round took no time.
    """
    if min(len(before), len(after)) < LEAST_ROUNDS or min(*before, *after) <= 0:
        return None
    first, second = _undisturbed(before), _undisturbed(after)
    interval = ratio_interval(first, second)
    return Ratio(
        center=float(np.median(np.divide.outer(np.asarray(second), np.asarray(first)))),
        low=interval.low,
        high=interval.high,
        confidence=interval.confidence,
        left_out=(len(before) - len(first), len(after) - len(second)),
    )


def _undisturbed(rounds: Sequence[float]) -> list[float]:
    if len(rounds) < _ROUNDS_TO_JUDGE:
        return list(rounds)
    logs = np.log(rounds)
    distances = np.abs(logs - np.median(logs))
    # 1.4826 makes the median distance of a normal distribution its standard deviation; equal times are none apart
    limit = _DISTURBED * 1.4826 * float(np.median(distances)) + 1e-9
    return [value for value, distance in zip(rounds, distances, strict=True) if distance <= limit]


def _normal(confidence: float) -> float:
    """Half the width of the normal distribution's interval, in standard deviations."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
