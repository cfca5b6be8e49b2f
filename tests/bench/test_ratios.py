"""Ratios of two runs, on rounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.bench.intervals import ratio_interval
from fcn_edge.bench.ratios import ratio_of

STEADY = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 9.98, 10.03, 9.97]


def test_equal_runs_have_the_ratio_one() -> None:
    ratio = ratio_of(STEADY, STEADY)
    assert ratio is not None
    assert ratio.center == pytest.approx(1, abs=1e-3)
    assert ratio.low < 1 < ratio.high
    assert ratio.confidence >= 0.95


def test_a_slower_run_has_a_ratio_above_one() -> None:
    ratio = ratio_of(STEADY, [1.1 * value for value in STEADY])
    assert ratio is not None
    assert ratio.center == pytest.approx(1.1, abs=1e-3)
    assert 1.09 < ratio.low < 1.1 < ratio.high < 1.11


def test_rounds_that_were_disturbed_are_left_out() -> None:
    clean, disturbed = ratio_of(STEADY, STEADY), ratio_of([*STEADY, 15.0, 18.0], [*STEADY, 5.0])
    assert clean is not None
    assert disturbed is not None
    assert disturbed.left_out == (2, 1)
    assert (disturbed.low, disturbed.high) == (clean.low, clean.high)


def test_of_few_rounds_none_is_left_out() -> None:
    ratio = ratio_of([10.0, 10.1, 9.9, 15.0], [10.0, 10.1, 9.9, 10.05])
    assert ratio is not None
    assert ratio.left_out == (0, 0)


def test_equal_times_are_not_disturbed() -> None:
    ratio = ratio_of([10.0] * 9, [11.0] * 9)
    assert ratio is not None
    assert (ratio.left_out, ratio.low, ratio.high) == ((0, 0), pytest.approx(1.1), pytest.approx(1.1))


@pytest.mark.parametrize(("before", "after"), [([10.0, 10.1], STEADY), (STEADY, [10.0]), ([0.0, 1.0, 1.0], STEADY)])
def test_too_few_rounds_or_no_time_have_no_ratio(before: list[float], after: list[float]) -> None:
    assert ratio_of(before, after) is None


def test_the_interval_is_wider_the_more_ratios_are_looked_at() -> None:
    ratio = ratio_of(STEADY, STEADY)
    assert ratio is not None
    interval = ratio_interval(STEADY, STEADY)
    assert ratio.together(1) == (pytest.approx(interval.low), pytest.approx(interval.high))
    lows = [ratio.together(count)[0] for count in (1, 2, 13, 100)]
    assert lows == sorted(lows, reverse=True)
    low, high = ratio.together(13)
    # Bonferroni: the normal quantile of 1 - 0.025/13 is 2.89; that of 95.x% about 2
    stretch = np.log(high / ratio.center) / np.log(ratio.high / ratio.center)
    assert stretch == pytest.approx(2.89 / 2.0, abs=0.05)
    assert np.log(low / ratio.center) == pytest.approx(stretch * np.log(ratio.low / ratio.center))


def test_three_rounds_tell_of_a_run_twice_as_slow() -> None:
    ratio = ratio_of([10.0, 10.1, 9.9], [20.0, 20.2, 19.8])
    assert ratio is not None
    assert ratio.confidence == pytest.approx(0.9)
    assert ratio.together(13)[0] > 1.5


def test_the_interval_holds_the_ratio_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    held = []
    for _ in range(400):
        before, after = (np.exp(0.02 * random.standard_normal(9)) for _ in range(2))
        ratio = ratio_of(before.tolist(), after.tolist())
        assert ratio is not None
        held.append(ratio.low <= 1 <= ratio.high)
    assert 0.91 < np.mean(held) < 0.99
