"""Slots of a video that knows one rate."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fcn_edge.runtime.sinks.even_rate import EvenRate


@pytest.mark.parametrize(
    ("milliseconds", "slots"),
    [
        ([0, 40, 80, 120], [0, 1, 2, 3]),
        ([0, 40, 400, 440], [0, 1, 10, 11]),  # a gap
        ([0, 41, 79, 121, 139, 200], [0, 1, 2, 3, 4, 5]),  # jitter
        ([0, 10, 20, 30, 40, 80, 120], [0, 1, None, 2, None, 3, 4]),  # a burst
        ([5000, 5040], [125, 126]),
    ],
)
def test_are_near_the_frames_own_times(milliseconds: list[int], slots: list[int | None]) -> None:
    rate = EvenRate(Fraction(25))
    assert [rate.slot_of(time * 1_000_000) for time in milliseconds] == slots


def test_of_a_long_burst_stay_with_it() -> None:
    rate = EvenRate(Fraction(6))
    slots = [rate.slot_of(index * 40_000_000) for index in range(250)]
    kept = [slot for slot in slots if slot is not None]
    assert kept == list(range(62))
    assert all(slot is None or abs(slot / 6 - index / 25) <= 2 / 6 for index, slot in enumerate(slots))
