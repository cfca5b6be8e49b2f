from __future__ import annotations

import json
from pathlib import Path

import pytest

from fcn_edge.system.telemetry import Telemetry, read_sensors, sensors
from fcn_edge.system.telemetry.nvml import Nvml
from fcn_edge.system.telemetry.span import Span

from ...doctor.trees import written
from . import machines
from .machines import FakeNvml


class Played:
    """A machine whose files and time the test moves."""

    def __init__(self, root: Path, files: dict[str, str], device: int | None = None, nvml: Nvml | None = None) -> None:
        self.root = written(root, files)
        self.now_ns = 1_000_000_000_000
        self.span = Span(read_sensors(self.root, device, nvml), lambda: self.now_ns)

    def after(self, seconds: float, **files: object) -> Played:
        self.now_ns += round(seconds * 1e9)
        written(self.root, {FILES[name]: f"{text}\n" for name, text in files.items()})
        return self


FILES = {
    "amperes": "sys/class/hwmon/hwmon1/curr1_input",
    "oc1": "sys/class/hwmon/hwmon3/oc1_event_cnt",
    "oc3": "sys/class/hwmon/hwmon3/oc3_event_cnt",
    "gpu": "sys/class/devfreq/17000000.gpu/cur_freq",
    "gpu_load": "sys/class/devfreq/17000000.gpu/device/load",
    "tj": "sys/class/thermal/thermal_zone8/temp",
    "alert": "sys/class/thermal/cooling_device1/cur_state",
    "stat": "proc/stat",
    "loadavg": "proc/loadavg",
    "package": "sys/class/powercap/intel-rapl:0/energy_uj",
}


def test_a_board_at_work(tmp_path: Path) -> None:
    board = Played(tmp_path, machines.ORIN_NANO)
    board.after(1.0, amperes=2500, gpu=1020000000, gpu_load=995, tj=70000, alert=1).span.sample()
    board.after(1.0, amperes=2500, gpu=305000000, gpu_load=500, tj=65000, alert=0, oc3=27405, oc1=1)
    busy = machines.STAT.format(user=1150, idle=9000, steal=50)
    found = board.after(0.0, stat=busy, loadavg="9.9 9.9 9.9 1/1 1").span.end()
    volts = 5.016
    assert found.seconds == pytest.approx(2.0)
    assert found.joules == pytest.approx(volts * (2.0 + 2.5))
    assert found.watts == pytest.approx(volts * 2.25)
    assert (found.power_source, found.power_absent) == ("INA3221 VDD_IN", "")
    assert found.clocks_mhz["gpu"] == (pytest.approx(305), pytest.approx(1020))
    assert found.clock_limits_mhz == pytest.approx({"cpu": 1728, "gpu": 1020, "emc": 3199})
    assert found.temperature_c == pytest.approx({"cpu-thermal": 50.125, "gpu-thermal": 51.343, "tj-thermal": 70.0})
    assert found.throttled == (
        "temperature: cpu-throttle-alert",
        "supply: over-current or under-voltage alarm oc1, once",
        "supply: over-current or under-voltage alarm oc3, 15 times",
    )
    assert found.gpu_load == pytest.approx((0.735 + 0.995 + 0.5) / 3)
    assert (found.load, found.steal) == (2.04, pytest.approx(0.25))
    said = json.loads(json.dumps(found.to_json()))
    assert Telemetry(**said).to_json() == said
    assert said["clocks_mhz"]["gpu"] == pytest.approx([305, 1020])


def test_only_power_is_read_at_each_sample(tmp_path: Path) -> None:
    board = Played(tmp_path, machines.ORIN_NANO)
    board.after(0.1, amperes=3000, tj=99000).span.sample()
    found = board.after(0.1, amperes=1500, tj=51343).span.end()
    assert found.joules == pytest.approx(5.016 * 0.45)
    assert found.temperature_c["tj-thermal"] == pytest.approx(51.343)


def test_a_processor_that_counts_its_energy(tmp_path: Path) -> None:
    found = Played(tmp_path, machines.DESKTOP).after(2.0, package=61_000_000).span.end()
    assert (found.watts, found.joules) == (pytest.approx(30), pytest.approx(60))
    assert (found.power_source, found.throttled) == ("RAPL package-0", ())


def test_a_gpu_at_its_power_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "pci_address", lambda device: "")
    nvml = FakeNvml()
    desktop = Played(tmp_path, machines.DESKTOP, 0, nvml)
    nvml.millijoules, nvml.megahertz, nvml.reasons = 1_350_000, 1800, 0x4 | 0x40
    desktop.after(1.0).span.sample()
    nvml.millijoules, nvml.megahertz, nvml.reasons = 1_700_000, 1700, 0x1
    found = desktop.after(1.0).span.end()
    assert (found.watts, found.joules, found.power_source) == (pytest.approx(350), pytest.approx(700), "NVML GPU 0")
    assert found.clocks_mhz["gpu"] == (1410, 1800)
    assert found.throttled == ("GPU: power limit", "GPU: temperature, by the hardware")


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = Played(tmp_path, {}).after(1.0).span.end()
    assert found == Telemetry(seconds=1.0, power_absent=sensors.NO_POWER)


def test_a_sensor_that_fails_is_absent(tmp_path: Path) -> None:
    files = {**machines.ORIN_NANO, FILES["amperes"]: "\n"}
    found = Played(tmp_path, files).after(1.0).span.end()
    assert (found.watts, found.joules, found.power_source) == (None, None, "")
    assert found.power_absent == "INA3221 VDD_IN told no power within the span."


def test_a_span_that_is_too_short_for_a_counter_has_no_power(tmp_path: Path) -> None:
    found = Played(tmp_path, machines.DESKTOP).after(0.01).span.end()
    assert (found.watts, found.joules, found.power_source) == (None, None, "")
    assert found.power_absent == (
        "The counter of RAPL package-0 did not move within the span, which is too short for it."
    )
