"""When a machine counts as disturbed."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.bench.steadiness import RECENT, Steadiness


@pytest.fixture
def steady() -> Steadiness:
    return Steadiness(0.08)


def told(steady: Steadiness, *times: float, name: str = "row") -> list[bool]:
    found = []
    for time in times:
        steady.note(name, time)
        found.append(steady.disturbed)
    return found


def test_the_first_time_is_normal(steady: Steadiness) -> None:
    assert told(steady, 50.0) == [False]


def test_slower_than_the_drift_is_disturbed_and_as_fast_as_before_is_not(steady: Steadiness) -> None:
    assert told(steady, 10.0, 10.7, 10.9, 9.0, 10.0) == [False, False, True, False, False]


def test_rows_are_compared_with_themselves(steady: Steadiness) -> None:
    assert told(steady, 10.0) == [False]
    assert told(steady, 40.0, name="other") == [False]
    assert told(steady, 10.1) == [False]


def test_half_of_the_times_may_be_disturbed(steady: Steadiness) -> None:
    random = np.random.default_rng(4)
    slow = random.random(60) < 0.5
    found = told(steady, 10.0, *np.where(slow, 15.0, 10.0))[1:]
    assert found == slow.tolist()


def test_a_machine_that_stays_slower_has_a_new_normal(steady: Steadiness) -> None:
    assert told(steady, *[10.0] * RECENT) == [False] * RECENT
    found = told(steady, *[12.0] * RECENT)
    assert found[0]
    assert not found[-1]
