from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.telemetry.rails import read_rails

from ...doctor.trees import written
from . import machines


@pytest.mark.parametrize(
    ("files", "source", "watts"),
    [
        (machines.ORIN_NANO, "INA3221 VDD_IN", 5.016 * 1.5),
        # 8 W, 4 W and 5 W; what the memory takes of the five volts is in the last already
        (machines.AGX_ORIN, "INA3221 VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0", 17.0),
        (machines.THOR_MODULE, "INA3221 VDD_GPU + VDD_CPU_SOC_MSS + VIN_SYS_5V0", 12.04 * 1.6 + 5.088 * 1.74),
        (machines.THOR, "INA238 VIN", 29.7),
    ],
)
def test_the_whole_of_a_board(tmp_path: Path, files: dict[str, str], source: str, watts: float) -> None:
    meter, absent = read_rails(written(tmp_path, files))
    assert meter is not None
    assert (meter.source, meter.joules, absent) == (source, None, "")
    assert meter.watts is not None
    assert meter.watts() == pytest.approx(watts)


def test_an_input_without_power_is_volts_times_amperes(tmp_path: Path) -> None:
    root = written(tmp_path, machines.THOR)
    (root / "sys/class/hwmon/hwmon2/power1_input").unlink()
    meter, _ = read_rails(root)
    assert meter is not None
    assert meter.watts is not None
    assert meter.watts() == pytest.approx(19.8 * 1.5)


def test_a_rail_that_cannot_be_read_leaves_no_sum(tmp_path: Path) -> None:
    root = written(tmp_path, machines.AGX_ORIN)
    meter, _ = read_rails(root)
    (root / "sys/class/hwmon/hwmon3/curr2_input").unlink()
    assert meter is not None
    assert meter.watts is not None
    assert meter.watts() is None


def test_rails_of_an_unknown_board_are_not_added(tmp_path: Path) -> None:
    files = machines.ina3221("hwmon1", ("VDD_CPU", 5000, 100), ("NC", 0, 0), ("A", 5000, 1))
    meter, absent = read_rails(written(tmp_path, files))
    assert meter is None
    assert absent == "The rails VDD_CPU, A are measured, but whether they are all of the power is not known."


def test_a_machine_without_monitors(tmp_path: Path) -> None:
    assert read_rails(written(tmp_path, machines.DESKTOP)) == (None, "")
    assert read_rails(tmp_path / "nothing") == (None, "")
