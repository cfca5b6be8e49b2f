"""Pairs of runs on a made-up machine that is as noisy as a shared one, and what ``compare`` says of them.

``python -m tests.bench.made_up_runs`` prints the figures of ``fcn_edge/bench/compare.py``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fcn_edge.bench.compare import CompareLimits, compare_results
from fcn_edge.bench.result import BenchResult, Row
from tests.bench_results import bench_result, bench_row


@dataclass(frozen=True)
class Noise:
    """How a machine's times scatter; all shares of a time.

    Attributes:
        rows: Least and most scatter of a row's rounds.
        control: Scatter of the control's rounds.
        drift: Change from one round to the next, which all have in common.
        level: How much one run differs from another, which all have in common.
        disturbed: Share of the rounds of one row that take 5 to 50% longer.
        slow: Share of the rounds that take 5 to 30% longer for all.
    """

    rows: tuple[float, float] = (0.01, 0.03)
    control: float = 0.01
    drift: float = 0.01
    level: float = 0.05
    disturbed: float = 0.03
    slow: float = 0.03


SHARED = Noise()
BUSY = Noise(rows=(0.01, 0.04), control=0.015, drift=0.015, disturbed=0.05, slow=0.05)


@cache
def rows(count: int) -> tuple[Row, ...]:
    return tuple(bench_row(milliseconds=20.0 + 5 * number, name=f"row {number}") for number in range(count))


def pair_of_runs(
    random: np.random.Generator, noise: Noise = SHARED, slower: float = 0.0, count: int = 13, rounds: int = 9
) -> tuple[BenchResult, BenchResult, str]:
    """Two runs of the same rows, of which one is slower in the second; its name."""
    scatter = random.uniform(*noise.rows, count)
    chosen = int(random.integers(count))
    factors = np.ones(count)
    factors[chosen] += slower
    before = run(random, noise, scatter, np.ones(count), rounds)
    after = run(random, noise, scatter, factors, rounds)
    return before, after, f"row {chosen}"


def run(
    random: np.random.Generator, noise: Noise, scatter: NDArray[np.float64], factors: NDArray[np.float64], rounds: int
) -> BenchResult:
    common = np.exp(noise.level * random.standard_normal() + np.cumsum(noise.drift * random.standard_normal(rounds)))
    common *= longer(random, noise.slow, 0.3, (rounds,))
    control = 10 * common * np.exp(noise.control * random.standard_normal(rounds))
    control *= longer(random, noise.disturbed, 0.5, (rounds,))
    times = common * np.exp(scatter[:, None] * random.standard_normal((len(scatter), rounds)))
    times *= factors[:, None] * longer(random, noise.disturbed, 0.5, times.shape)
    measured = []
    for row, shares in zip(rows(len(scatter)), times, strict=True):
        assert row.end_to_end_ms is not None
        values = tuple(float(share) for share in shares * row.end_to_end_ms.p50)
        times_ms = row.end_to_end_ms.model_copy(update={"rounds": values, "p50": float(np.median(values))})
        measured.append(row.model_copy(update={"end_to_end_ms": times_ms}))
    result = bench_result()
    told = result.control.model_copy(update={"rounds": tuple(float(value) for value in control)})
    return result.model_copy(update={"control": told, "rows": tuple(measured), "rounds": rounds})


def longer(random: np.random.Generator, share: float, most: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """1, or 1.05 to 1 + most for a share of the places."""
    return np.where(random.random(shape) < share, 1 + random.uniform(0.05, most, shape), 1.0)


def study(pairs: int, noise: Noise = SHARED, slower: float = 0.1, *, absolute: bool = False, **shape: int) -> None:
    random = np.random.default_rng(1)
    shares = (0.03, 0.04, 0.05, 0.06, 0.07)
    wrong, found = dict.fromkeys(shares, 0), dict.fromkeys(shares, 0)
    for _ in range(pairs):
        equal = pair_of_runs(random, noise, **shape)
        planted = pair_of_runs(random, noise, slower, **shape)
        for share in shares:
            limits = CompareLimits(threshold=share)
            wrong[share] += bool(compare_results(*equal[:2], limits, absolute=absolute).regressions)
            names = {one.name for one in compare_results(*planted[:2], limits, absolute=absolute).regressions}
            found[share] += planted[2] in names
    for share in shares:
        sys.stdout.write(f"  {share:.0%}: {wrong[share] / pairs:.1%} wrong, {found[share] / pairs:.1%} found\n")


if __name__ == "__main__":
    for title, settings in {
        "shared": {},
        "shared, 5% slower": {"slower": 0.05},
        "shared, 5 rounds": {"rounds": 5},
        "shared, 3 rounds": {"rounds": 3},
        "shared, absolute": {"absolute": True},
        "shared, 40 rows": {"count": 40},
        "busy": {"noise": BUSY},
        "busy, 15 rounds": {"noise": BUSY, "rounds": 15},
    }.items():
        sys.stdout.write(f"{title}\n")
        study(1000, **settings)  # type: ignore[arg-type]
