from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.telemetry.rapl import read_rapl

from ...doctor.trees import written
from . import machines

FIRST = "sys/class/powercap/intel-rapl:0/energy_uj"
SECOND = "sys/class/powercap/intel-rapl:1/energy_uj"


def test_a_package_is_counted_without_its_parts_and_without_the_platform(tmp_path: Path) -> None:
    root = written(tmp_path, machines.DESKTOP)
    meter, absent = read_rapl(root)
    assert meter is not None
    assert (meter.source, meter.watts, absent) == ("RAPL package-0", None, "")
    assert meter.joules is not None
    before = meter.joules()
    (root / FIRST).write_text("3500000\n")
    after = meter.joules()
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(2.5)


def test_packages_are_added_and_a_counter_that_came_round_goes_on(tmp_path: Path) -> None:
    root = written(tmp_path, machines.EPYC)
    meter, _ = read_rapl(root)
    assert meter is not None
    assert meter.source == "RAPL package-0 + package-1"
    assert meter.joules is not None
    before = meter.joules()
    for _ in range(2):  # twice round
        for counted in ("65532000000", "389013"):
            (root / FIRST).write_text(counted)
            assert meter.joules() is not None
    (root / SECOND).write_text("2500000")
    after = meter.joules()
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(2 * 65532.610987 + (0.389013 - 0.5) + 2.0)


def test_a_counter_that_may_not_be_read(tmp_path: Path) -> None:
    root = written(tmp_path, machines.EPYC)
    (root / SECOND).unlink()
    (root / SECOND).mkdir()  # root, who may be running this, could read any file
    assert read_rapl(root) == (None, "RAPL's energy_uj cannot be read; on most systems only root may do so.")


def test_a_counter_that_fails_later(tmp_path: Path) -> None:
    root = written(tmp_path, machines.DESKTOP)
    meter, _ = read_rapl(root)
    assert meter is not None
    assert meter.joules is not None
    (root / FIRST).write_text("")
    assert meter.joules() is None
    (root / FIRST).write_text("4000000")
    assert meter.joules() == pytest.approx(3.0)


def test_a_machine_without_rapl(tmp_path: Path) -> None:
    assert read_rapl(written(tmp_path, machines.ORIN_NANO)) == (None, "")
