from __future__ import annotations

from pathlib import Path

from fcn_edge.system.telemetry.throttling import read_cooling, read_throttle_counters

from ...doctor.trees import written
from . import machines


def test_cooling_that_lowers_clocks(tmp_path: Path) -> None:
    """Not a fan, and not the alert of a hot surface, which only warns."""
    found = read_cooling(written(tmp_path, machines.ORIN_NANO))
    assert {words: state() for words, state in found.items()} == {
        "temperature: cpu-throttle-alert": 0,
        "temperature: devfreq-17000000.gpu": 0,
    }


def test_the_highest_state_of_several_cores(tmp_path: Path) -> None:
    root = written(tmp_path, machines.DESKTOP)
    found = read_cooling(root)
    (root / "sys/class/thermal/cooling_device1/cur_state").write_text("2\n")
    assert {words: state() for words, state in found.items()} == {"temperature: Processor": 2}


def test_alarms_of_a_boards_supply_are_counted(tmp_path: Path) -> None:
    found = read_throttle_counters(written(tmp_path, machines.ORIN_NANO))
    assert {words: count() for words, count in found.items()} == {
        "supply: over-current or under-voltage alarm oc1": 0,
        "supply: over-current or under-voltage alarm oc3": 27390,
    }


def test_a_package_is_counted_once(tmp_path: Path) -> None:
    found = read_throttle_counters(written(tmp_path, machines.DESKTOP))
    assert {words: count() for words, count in found.items()} == {
        "temperature: processor core": 4,
        "temperature: processor package": 9,
    }


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert (read_cooling(tmp_path), read_throttle_counters(tmp_path)) == ({}, {})
