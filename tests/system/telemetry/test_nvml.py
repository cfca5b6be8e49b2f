from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from fcn_edge.system.telemetry.nvml import GPU_SENSOR, SM_CLOCK, THROTTLE_REASONS, Gpu, installed_nvml, read_gpu

from .machines import NVML_SENSORS, FakeNvml

TWO = ("0000:01:00.0", "0000:41:00.0")
ENERGY, POWER = "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage"
TEMPERATURE, REASONS = "nvmlDeviceGetTemperatureV", "nvmlDeviceGetCurrentClocksEventReasons"


def now(reading: Callable[[], float | None] | None) -> float | None:
    assert reading is not None
    return reading()


def test_a_gpu_that_counts_its_energy() -> None:
    nvml = FakeNvml()
    gpu, absent = read_gpu(0, nvml, "0000:01:00.0")
    assert gpu is not None
    assert gpu.meter is not None
    assert (gpu.meter.source, gpu.meter.watts, absent) == ("NVML GPU 0", None, "")
    assert now(gpu.meter.joules) == 1000.0
    assert (now(gpu.clock_mhz), gpu.clock_limit_mhz, now(gpu.temperature_c)) == (1410, 1980, 61)
    assert (now(gpu.load), now(gpu.throttled)) == (pytest.approx(0.93), 0x1)
    nvml.megahertz = 1200
    assert now(gpu.clock_mhz) == 1200


def test_an_older_gpu_tells_its_power() -> None:
    gpu, absent = read_gpu(0, FakeNvml(refuses=[ENERGY]), "0000:01:00.0")
    assert gpu is not None
    assert gpu.meter is not None
    assert (now(gpu.meter.watts), gpu.meter.joules, absent) == (70.0, None, "")


@pytest.mark.parametrize("nvml", [FakeNvml(lacks=[TEMPERATURE, REASONS]), FakeNvml(refuses=[TEMPERATURE, REASONS])])
def test_an_older_binding_or_driver_has_other_names(nvml: FakeNvml) -> None:
    gpu, _ = read_gpu(0, nvml, "0000:01:00.0")
    assert gpu is not None
    assert (now(gpu.temperature_c), now(gpu.throttled)) == (61, 0x1)


def test_the_gpu_is_found_by_its_address() -> None:
    """CUDA may count the other way round."""
    nvml = FakeNvml(TWO)
    gpu, _ = read_gpu(0, nvml, TWO[1])
    assert nvml.addresses == [TWO[1]]
    assert gpu is not None
    assert gpu.meter is not None
    assert gpu.meter.source == "NVML GPU 0"


@pytest.mark.parametrize("address", ["", "0000:00:00.0"])
def test_an_only_gpu_needs_no_address_and_one_of_several_does(address: str) -> None:
    gpu, absent = read_gpu(0, FakeNvml(), address)
    assert gpu is not None
    assert not absent
    assert read_gpu(1, FakeNvml(TWO), address) == (
        None,
        "Which of the GPUs that NVML knows is CUDA device 1 is not known.",
    )


def test_a_gpu_that_tells_nothing() -> None:
    """As on an Orin, whose NVML starts and then supports no sensor."""
    gpu, absent = read_gpu(0, FakeNvml(refuses=NVML_SENSORS), "")
    assert gpu == Gpu(None, None, None, None, None, None)
    assert absent == "NVML does not tell the power of GPU 0."


def test_a_gpu_that_stops_answering() -> None:
    nvml = FakeNvml()
    gpu, _ = read_gpu(0, nvml, "")
    assert gpu is not None
    nvml.refuse("nvmlDeviceGetClockInfo")
    assert now(gpu.clock_mhz) is None


def test_no_binding_and_no_driver() -> None:
    gpu, absent = read_gpu(0, None, "")
    assert gpu is None
    assert absent.endswith("which is not installed: pip install 'fcn_edge[bench]'.")
    gpu, absent = read_gpu(0, FakeNvml(starts=False), "")
    assert gpu is None
    assert absent == "NVML, the library of the NVIDIA driver that tells a GPU's power, does not start."


def test_the_real_binding_has_what_is_asked() -> None:
    """The stand-in takes calls that the real one takes."""
    nvml = pytest.importorskip("pynvml")
    calls: dict[str, tuple[object, ...]] = {
        "nvmlInit": (),
        "nvmlDeviceGetCount": (),
        "nvmlDeviceGetHandleByIndex": (0,),
        "nvmlDeviceGetHandleByPciBusId": (TWO[0],),
        **dict.fromkeys((ENERGY, POWER, REASONS, "nvmlDeviceGetUtilizationRates"), (TWO[0],)),
        **dict.fromkeys(("nvmlDeviceGetClockInfo", "nvmlDeviceGetMaxClockInfo"), (TWO[0], 1)),
        **dict.fromkeys((TEMPERATURE, "nvmlDeviceGetTemperature"), (TWO[0], 0)),
    }
    fake = FakeNvml()
    for name, arguments in calls.items():
        inspect.signature(getattr(nvml, name)).bind(*arguments)
        getattr(fake, name)(*arguments)
    assert issubclass(nvml.NVMLError, Exception)
    assert (nvml.NVML_CLOCK_SM, nvml.NVML_TEMPERATURE_GPU) == (SM_CLOCK, GPU_SENSOR)
    names = ("SwPowerCap", "HwSlowdown", "SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown")
    assert [getattr(nvml, f"nvmlClocksEventReason{name}") for name in names] == list(THROTTLE_REASONS)


def test_the_real_binding_on_this_machine() -> None:
    """With a driver it gives a GPU, without one the reason."""
    nvml = installed_nvml()
    gpu, absent = read_gpu(0, nvml, "")
    assert bool(absent) == (gpu is None or gpu.meter is None)
