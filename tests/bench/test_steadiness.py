"""When a machine counts as disturbed."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.bench.steadiness import Steadiness


@pytest.fixture
def steady() -> Steadiness:
    return Steadiness(0.08)


def told(steady: Steadiness, *times: float, name: str = "row") -> list[bool]:
    return [steady.note(name, time) for time in times]


def test_the_first_time_is_normal(steady: Steadiness) -> None:
    assert told(steady, 50.0) == [False]


def test_slower_than_the_drift_is_disturbed_and_as_fast_as_before_is_not(steady: Steadiness) -> None:
    assert told(steady, 10.0, 10.7, 10.9, 9.0, 10.0) == [False, False, True, False, False]


def test_rows_are_compared_with_themselves(steady: Steadiness) -> None:
    assert told(steady, 10.0) == [False]
    assert told(steady, 40.0, name="other") == [False]
    assert told(steady, 10.1) == [False]


@pytest.mark.parametrize("seed", range(20))
def test_half_of_the_times_may_be_disturbed(steady: Steadiness, seed: int) -> None:
    slow = np.random.default_rng(seed).permutation(np.arange(30) % 2 == 0)
    told(steady, *[10.0] * 4)
    assert told(steady, *np.where(slow, 15.0, 10.0)) == slow.tolist()


def test_a_time_that_is_only_asked_about_is_not_taken_in(steady: Steadiness) -> None:
    told(steady, 10.0, 10.0)
    assert [steady.disturbed("row", 15.0) for _ in range(50)] == [True] * 50
    assert not steady.disturbed("row", 10.5)
    assert not steady.disturbed("another", 15.0)


def test_what_is_forgotten_is_no_measure(steady: Steadiness) -> None:
    told(steady, 10.0, 10.0)
    steady.forget()
    assert told(steady, 15.0, 15.0) == [False, False]
