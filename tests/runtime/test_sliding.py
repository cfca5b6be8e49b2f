from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn_edge.runtime.sliding import SlidingCount

WINDOW, SLOTS = 1000, 10
SLOT = WINDOW // SLOTS


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(1, 3)), max_size=60), st.integers(0, 3000))
def test_counts_what_happened_in_the_window(steps: list[tuple[int, int]], later: int) -> None:
    counter, events, now = SlidingCount(WINDOW, SLOTS), list[tuple[int, int]](), 0
    for wait, count in steps:
        now += wait
        counter.add(now, count)
        events.append((now, count))
    now += later
    covered = counter.covered_ns(now)
    assert WINDOW - SLOT <= covered < WINDOW
    assert counter.total(now) == sum(count for when, count in events if when >= now - covered)


def test_may_begin_at_any_time() -> None:
    counter = SlidingCount(WINDOW, SLOTS)
    assert counter.total(123_456_789) == 0
    counter.add(123_456_789)
    assert counter.total(123_456_800) == 1


@pytest.mark.parametrize(("window", "slots"), [(1000, 1), (5, 10)])
def test_refuses_windows_that_cannot_be_cut(window: int, slots: int) -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        SlidingCount(window, slots)
