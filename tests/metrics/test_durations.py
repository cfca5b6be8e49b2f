from __future__ import annotations

import math

import numpy as np
import pytest

from fcn_edge.metrics.durations import Durations

MS = 1_000_000
WITHIN = 0.0051


def test_percentiles_are_those_of_the_sorted_durations() -> None:
    rng = np.random.default_rng(5)
    values = (rng.lognormal(math.log(30 * MS), 1.0, 5001)).astype(np.int64)
    durations = Durations()
    for value in values:
        durations.add(int(value))
    ordered = np.sort(values)
    for percent in (1, 50, 90, 99, 100):
        exact = ordered[math.ceil(percent / 100 * len(values)) - 1] / MS
        assert durations.percentile_ms(percent) == pytest.approx(exact, rel=WITHIN)


def test_one_duration_is_every_percentile() -> None:
    durations = Durations()
    durations.add(65 * MS)
    assert {durations.percentile_ms(p) for p in (1, 50, 99)} == {durations.percentile_ms(50)}
    assert durations.percentile_ms(50) == pytest.approx(65, rel=WITHIN)


def test_outliers_do_not_move_the_median() -> None:
    durations = Durations()
    for value in [10 * MS] * 98 + [0, 10**18]:
        durations.add(value)
    assert durations.percentile_ms(50) == pytest.approx(10, rel=WITHIN)
    assert durations.percentile_ms(100) > 1e7


def test_no_duration_has_no_percentile() -> None:
    assert Durations().percentile_ms(50) is None
