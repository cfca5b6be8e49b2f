from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.system.telemetry import read_sensors, sensors

from ...doctor.trees import written
from . import machines
from .machines import FakeNvml


@pytest.fixture(autouse=True)
def _first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "pci_address", lambda device: "0000:01:00.0")


def test_a_board_is_measured_as_a_whole_wherever_the_network_runs(tmp_path: Path) -> None:
    root = written(tmp_path, machines.ORIN_NANO)
    on_cpu, on_gpu = read_sensors(root), read_sensors(root, 0, FakeNvml())
    for found in (on_cpu, on_gpu):
        assert found.meter is not None
        assert (found.meter.source, found.power_absent) == ("INA3221 VDD_IN", "")
    assert on_gpu.clocks["gpu"].mhz() == pytest.approx(612), "the kernel's clock, not NVML's"
    assert set(on_gpu.temperatures) - set(on_cpu.temperatures) == {"NVML GPU 0"}


def test_a_thor_has_its_gpu_s_load_from_nvml(tmp_path: Path) -> None:
    found = read_sensors(written(tmp_path, machines.THOR), 0, FakeNvml(refuses=["nvmlDeviceGetPowerUsage"]))
    assert found.meter is not None
    assert found.meter.source == "INA238 VIN"
    assert found.gpu_load is not None
    assert found.gpu_load() == pytest.approx(0.93)


def test_a_desktop_tells_the_power_of_what_runs_the_network(tmp_path: Path) -> None:
    root = written(tmp_path, machines.DESKTOP)
    on_cpu, on_gpu = read_sensors(root), read_sensors(root, 1, FakeNvml())
    assert on_cpu.meter is not None
    assert on_gpu.meter is not None
    assert (on_cpu.meter.source, on_gpu.meter.source) == ("RAPL package-0", "NVML GPU 1")
    assert (set(on_cpu.clocks), set(on_gpu.clocks)) == ({"cpu"}, {"cpu", "gpu"})
    assert on_gpu.clocks["gpu"].limit_mhz == 1980
    assert set(on_gpu.temperatures) - set(on_cpu.temperatures) == {"NVML GPU 1"}


def test_a_gpu_that_cannot_be_asked_is_not_replaced_by_the_processor(tmp_path: Path) -> None:
    found = read_sensors(written(tmp_path, machines.DESKTOP), 0, FakeNvml(starts=False))
    assert found.meter is None
    assert found.power_absent == "NVML, the library of the NVIDIA driver that tells a GPU's power, does not start."


def test_a_virtual_machine_says_why_it_has_no_power(tmp_path: Path) -> None:
    found = read_sensors(written(tmp_path, machines.CLOUD))
    assert found.meter is None
    assert found.power_absent == sensors.NO_POWER
    assert (found.clocks, found.temperatures, found.cooling, found.throttle_counters) == ({}, {}, {}, {})


def test_without_a_device_no_driver_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unasked(*_: object) -> None:
        raise AssertionError("no driver is to be started")

    monkeypatch.setattr(sensors, "pci_address", unasked)
    monkeypatch.setattr(sensors, "installed_nvml", unasked)
    assert read_sensors(written(tmp_path, machines.DESKTOP)).gpu_load is None


def test_this_machine() -> None:
    found = read_sensors()
    assert bool(found.power_absent) == (found.meter is None)
