from __future__ import annotations

import random
import time

import pytest

from fcn_edge.runtime.clock import BUCKETS, CameraClock, skews

S = 1_000_000_000
FRAME = S // 25


def feed(clock: CameraClock, seconds: float, offset_ns: int, ppm: float = 0.0, start: int = 0, seed: int = 0) -> None:
    """Frames of a camera whose clock is ``offset_ns`` ahead and runs ``ppm`` too fast; each takes 20 to 80 ms."""
    noise = random.Random(seed)
    unix_minus_monotonic = time.time_ns() - time.monotonic_ns()
    for index in range(round(seconds * 25)):
        captured = start + index * FRAME
        arrival = captured + noise.randint(20_000_000, 80_000_000)
        clock.add(captured + unix_minus_monotonic + offset_ns + round(captured * ppm / 1e6), arrival)


def test_says_nothing_before_it_knows() -> None:
    clock = CameraClock()
    assert clock.offset_ns is None
    assert clock.drift_ppm is None
    feed(clock, 30, 0)
    assert clock.offset_ns is not None
    assert clock.drift_ppm is None


@pytest.mark.parametrize("offset_ns", [0, 3600 * S, -5 * 365 * 86400 * S])
def test_finds_the_offset_less_the_least_delay(offset_ns: int) -> None:
    clock = CameraClock()
    feed(clock, 60, offset_ns)
    assert clock.offset_ns == pytest.approx(offset_ns - 20_000_000, abs=5_000_000)
    assert clock.steps == 0


@pytest.mark.parametrize("ppm", [-100.0, 0.0, 50.0])
def test_finds_the_drift(ppm: float) -> None:
    clock = CameraClock()
    feed(clock, 600, 3600 * S, ppm)
    assert clock.drift_ppm == pytest.approx(ppm, abs=3)


def test_a_frame_that_was_kept_for_seconds_changes_nothing() -> None:
    clock = CameraClock()
    feed(clock, 100, 0)
    before = clock.offset_ns
    clock.add(time.time_ns() - time.monotonic_ns() + 100 * S, 100 * S + 900_000_000)
    feed(clock, 100, 0, start=102 * S, seed=1)
    assert before is not None
    assert clock.offset_ns == pytest.approx(before, abs=5_000_000)
    assert clock.drift_ppm == pytest.approx(0, abs=30)


def test_a_clock_that_is_set_begins_anew() -> None:
    clock = CameraClock()
    feed(clock, 90, 0)
    feed(clock, 30, 3600 * S, start=91 * S)
    assert clock.steps == 1
    assert clock.offset_ns == pytest.approx(3600 * S - 20_000_000, abs=5_000_000)
    assert clock.drift_ppm is None


def test_does_not_grow() -> None:
    clock = CameraClock()
    feed(clock, 1500, 0)
    assert len(clock._points) == BUCKETS


@pytest.mark.parametrize(
    ("offsets_ms", "expected"),
    [
        ([], []),
        ([5.0, None], [None, None]),
        ([5.0, None, 7.0], [-1.0, None, 1.0]),
        ([0.0, 3_600_000.0, 2.5], [-2.5, 3_599_997.5, 0.0]),
    ],
)
def test_skews_are_from_the_median_of_those_that_tell(
    offsets_ms: list[float | None], expected: list[float | None]
) -> None:
    assert skews(offsets_ms) == expected
