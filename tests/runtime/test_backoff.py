from __future__ import annotations

import itertools

import pytest

from fcn_edge.runtime.backoff import Backoff


def longest(**how: float) -> Backoff:
    return Backoff(uniform=lambda: 1.0, **how)


def test_delays_double_up_to_the_quick_bound_while_the_source_may_soon_be_back() -> None:
    backoff = longest()
    assert [backoff.delay(0.0) for _ in range(4)] == [0.5, 1.0, 1.5, 1.5]


def test_they_are_random_from_zero_to_the_bound() -> None:
    delays = [Backoff(first=1.0, quick=1.0).delay(0.0) for _ in range(200)]
    assert min(delays) < 0.2
    assert max(delays) > 0.8
    assert all(0 <= delay < 1 for delay in delays)
    assert Backoff(uniform=lambda: 0.0).delay(0.0) == 0


def test_a_source_that_is_long_gone_is_tried_less_often() -> None:
    backoff = longest()
    delays = [backoff.delay(lost_for) for lost_for in itertools.chain(range(0, 600, 60), [600.0] * 5)]
    assert max(delays[:10]) == 1.5
    assert delays[10:] == [1.5, 3.0, 6.0, 10.0, 10.0]


def test_of_what_will_not_go_away_by_itself_too() -> None:
    backoff = longest()
    assert [backoff.delay(0.0, persistent=True) for _ in range(7)] == [2.5, 5, 10, 20, 40, 60, 60]
    at_least = Backoff(uniform=lambda: 0.0)
    assert at_least.delay(0.0, persistent=True) == 1.25


def test_begins_anew_after_a_reset() -> None:
    backoff = longest()
    for _ in range(5):
        backoff.delay(0.0)
        backoff.delay(900.0)
        backoff.delay(0.0, persistent=True)
    backoff.reset()
    assert [backoff.delay(0.0), backoff.delay(900.0), backoff.delay(0.0, True)] == [0.5, 1.5, 2.5]


@pytest.mark.parametrize("lost_for", [0.0, 1e9])
def test_years_of_attempts_overflow_nothing(lost_for: float) -> None:
    backoff = longest()
    assert max(backoff.delay(lost_for) for _ in range(5000)) <= 10
    assert max(backoff.delay(lost_for, True) for _ in range(5000)) == 60
