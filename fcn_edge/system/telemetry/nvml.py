"""An NVIDIA GPU's sensors, through the driver's library NVML and its Python binding nvidia-ml-py.

What NVML does not tell on a GPU is absent: on Orin that is everything, on Thor a part.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from fcn_edge.system.telemetry.meter import Meter
from fcn_edge.system.telemetry.readings import Reading

__all__ = ["Gpu", "Nvml", "installed_nvml", "read_gpu"]

SM_CLOCK = 1
"""NVML_CLOCK_SM of ``nvml.h``."""

GPU_SENSOR = 0
"""NVML_TEMPERATURE_GPU of ``nvml.h``."""

THROTTLE_REASONS = {
    0x04: "power limit",
    0x08: "hardware slowdown",
    0x20: "temperature, by the driver",
    0x40: "temperature, by the hardware",
    0x80: "power brake of the supply",
}
"""Bits of nvmlClocksEventReasons of ``nvml.h`` that lower clocks; idleness and what the user chose are left out."""


class Nvml(Protocol):
    """The part of the module ``pynvml`` that must be there; what else is read may be missing in some version."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByPciBusId(self, pciBusId: str) -> Any: ...  # noqa: D102, N802, N803


@dataclass(frozen=True)
class Gpu:
    """What NVML tells of a GPU; None where it does not.

    Attributes:
        meter: Its power: the whole card, its memory included, and nothing of the machine around it.
        clock_mhz: Clock of its streaming multiprocessors.
        clock_limit_mhz: What that clock may reach.
        temperature_c: Temperature of the chip.
        load: Share of time in which a kernel ran, from 0 to 1.
        throttled: Bits of ``THROTTLE_REASONS`` now.
    """

    meter: Meter | None
    clock_mhz: Reading | None
    clock_limit_mhz: float | None
    temperature_c: Reading | None
    load: Reading | None
    throttled: Reading | None


def installed_nvml() -> Nvml | None:
    """The module ``pynvml`` of nvidia-ml-py; None where it is not installed."""
    try:
        return cast("Nvml", importlib.import_module("pynvml"))
    except ImportError:
        return None


def read_gpu(device: int, nvml: Nvml | None, pci_address: str) -> tuple[Gpu | None, str]:
    """Look for the sensors of a CUDA device. NVML is started and stays so, since all spans use it.

    CUDA numbers the fastest GPU first and only those of ``CUDA_VISIBLE_DEVICES``, NVML all of them by their PCI
    address, so that the address is what they are matched by.

    Args:
        device: CUDA's number of the GPU.
        nvml: The module ``pynvml``; None where it is not installed.
        pci_address: PCI address of that device; empty where it is not known, and then an only GPU is taken.

    Returns:
        The GPU, and why its power is absent in one sentence, which is empty where it is there. None where NVML cannot
        be asked for this GPU.
    """
    if nvml is None:
        return (
            None,
            "A GPU's power is read through nvidia-ml-py, which is not installed: pip install 'fcn_edge[bench]'.",
        )
    try:
        nvml.nvmlInit()
        handle = _handle(nvml, pci_address)
    except nvml.NVMLError:
        return None, "NVML, the library of the NVIDIA driver that tells a GPU's power, does not start."
    if handle is None:
        return None, f"Which of the GPUs that NVML knows is CUDA device {device} is not known."

    def sensor(*names: str, of: tuple[int, ...] = (), unit: float = 1.0, pick: Callable[[Any], float] = float) -> Any:
        return _sensor(nvml, names, (handle, *of), lambda answer: pick(answer) * unit)

    joules = sensor("nvmlDeviceGetTotalEnergyConsumption", unit=1e-3)
    watts = None if joules else sensor("nvmlDeviceGetPowerUsage", unit=1e-3)
    limit = sensor("nvmlDeviceGetMaxClockInfo", of=(SM_CLOCK,))
    # Of two names, the second is that of older drivers or bindings.
    gpu = Gpu(
        meter=Meter(f"NVML GPU {device}", watts=watts, joules=joules) if watts or joules else None,
        clock_mhz=sensor("nvmlDeviceGetClockInfo", of=(SM_CLOCK,)),
        clock_limit_mhz=limit() if limit else None,
        temperature_c=sensor("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature", of=(GPU_SENSOR,)),
        load=sensor("nvmlDeviceGetUtilizationRates", pick=lambda answer: float(answer.gpu), unit=1e-2),
        throttled=sensor("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
    )
    return gpu, "" if gpu.meter else f"NVML does not tell the power of GPU {device}."


def _handle(nvml: Nvml, pci_address: str) -> Any:
    if pci_address:
        try:
            return nvml.nvmlDeviceGetHandleByPciBusId(pci_address)
        except nvml.NVMLError:  # the GPU of a board has an address that NVML does not use
            pass
    return nvml.nvmlDeviceGetHandleByIndex(0) if nvml.nvmlDeviceGetCount() == 1 else None


def _sensor(
    nvml: Nvml, names: tuple[str, ...], arguments: tuple[Any, ...], number: Callable[[Any], float]
) -> Reading | None:
    """The first of several functions that answers now; None where none does."""

    def reading_of(ask: Callable[..., Any]) -> Reading:
        def read() -> float | None:
            try:
                return number(ask(*arguments))
            except nvml.NVMLError:
                return None

        return read

    functions = [getattr(nvml, name) for name in names if hasattr(nvml, name)]
    return next((reading for reading in map(reading_of, functions) if reading() is not None), None)
