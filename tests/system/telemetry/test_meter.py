from __future__ import annotations

from collections.abc import Iterator

import pytest

from fcn_edge.system.telemetry.meter import Meter, PowerRecord

S = 1_000_000_000


def telling(*numbers: float | None) -> Iterator[float | None]:
    return iter(numbers)


def test_power_is_integrated_over_time_that_is_unevenly_sampled() -> None:
    numbers = telling(10.0, 20.0, 20.0)
    record = PowerRecord(Meter("x", watts=lambda: next(numbers)), 5 * S)
    record.read(6 * S)
    record.read(9 * S)
    # 15 J in the first second, 60 J in the other three
    assert record.over(4.0) == (pytest.approx(75 / 4), pytest.approx(75))


def test_energy_is_read_at_both_ends() -> None:
    numbers = telling(100.0, 180.0, 130.0)
    record = PowerRecord(Meter("x", joules=lambda: next(numbers)), 0)
    record.read(1 * S)
    record.read(2 * S)
    assert record.over(2.0) == (pytest.approx(15), pytest.approx(30))


def test_what_could_be_read_in_part_stands_for_all() -> None:
    numbers = telling(None, 10.0, 10.0, None)
    record = PowerRecord(Meter("x", watts=lambda: next(numbers)), 0)
    for second in (1, 3, 4):
        record.read(second * S)
    assert record.over(4.0) == (pytest.approx(10), pytest.approx(40))


def test_one_moment_of_power_is_enough_and_one_of_energy_is_not() -> None:
    assert PowerRecord(Meter("x", watts=lambda: 8.0), 0).over(0.5) == (8.0, 4.0)
    record = PowerRecord(Meter("x", joules=lambda: 8.0), 0)
    assert record.over(0.5) == (None, None)
    record.read(S // 2)
    assert record.over(0.5) == (None, None), "a counter that has not moved says nothing"


def test_nothing_is_told() -> None:
    assert PowerRecord(None, 0).over(1.0) == (None, None)
    assert PowerRecord(Meter("x", watts=lambda: None), 0).over(1.0) == (None, None)
    assert PowerRecord(Meter("x", watts=lambda: 0.0), 0).over(1.0) == (None, None)
