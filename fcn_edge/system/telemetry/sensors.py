"""Everything on a machine that can be read while it works, looked for once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.cuda_driver import pci_address
from fcn_edge.system.telemetry.clocks import Clock, read_clocks, read_gpu_load
from fcn_edge.system.telemetry.meter import Meter
from fcn_edge.system.telemetry.nvml import Gpu, Nvml, installed_nvml, read_gpu
from fcn_edge.system.telemetry.rails import read_rails
from fcn_edge.system.telemetry.rapl import read_rapl
from fcn_edge.system.telemetry.readings import Reading
from fcn_edge.system.telemetry.temperatures import read_temperatures
from fcn_edge.system.telemetry.throttling import read_cooling, read_throttle_counters

__all__ = ["Sensors", "read_sensors"]

NO_POWER = "This machine shows no power sensor: neither a board's rails nor RAPL, which virtual machines hide."


@dataclass(frozen=True)
class Sensors:
    """The sensors of a machine. What it does not have is None or left out.

    Attributes:
        root: Where ``/proc`` and ``/sys`` are found.
        meter: What tells power or energy.
        power_absent: Why there is no meter, in one sentence; empty where there is one.
        clocks: Clocks by name: ``cpu``, ``gpu``, ``emc``.
        temperatures: Degrees Celsius by the name of the zone.
        gpu_load: Share of time that the GPU is busy, from 0 to 1.
        cooling: States by what they mean in words; above 0 they lower clocks now.
        gpu_reasons: Bits of ``nvml.THROTTLE_REASONS`` that lower the GPU's clock now.
        throttle_counters: Events since the machine started, by what they mean in words.
    """

    root: Path
    meter: Meter | None
    power_absent: str
    clocks: Mapping[str, Clock]
    temperatures: Mapping[str, Reading]
    gpu_load: Reading | None
    cooling: Mapping[str, Reading]
    gpu_reasons: Reading | None
    throttle_counters: Mapping[str, Reading]

    @property
    def change(self) -> bool:
        """Whether there is anything that must be read between the ends of a span as well."""
        readings = (self.meter, self.clocks, self.temperatures, self.gpu_load, self.cooling, self.gpu_reasons)
        return any(readings)


def read_sensors(root: Path = Path("/"), device: int | None = None, nvml: Nvml | None = None) -> Sensors:
    """Look for the sensors of this machine.

    Power is that of the board where its rails are measured. Elsewhere it is that of the part which runs the network:
    the GPU with a ``device``, else the processor's packages. They are never added, since each leaves out the rest of
    the machine anyway.

    Args:
        root: Where ``/proc`` and ``/sys`` are found.
        device: CUDA's number of the GPU that runs the network; None where the processor does, and then no GPU driver
            is started.
        nvml: The module ``pynvml``; the installed one when left out.
    """
    gpu: Gpu | None = None
    gpu_absent = ""
    if device is not None:
        gpu, gpu_absent = read_gpu(device, nvml or installed_nvml(), pci_address(device))
    meter, absent = read_rails(root)
    if meter is None and device is not None:
        meter, absent = gpu.meter if gpu else None, absent or gpu_absent
    elif meter is None:
        meter, rapl_absent = read_rapl(root)
        absent = absent or rapl_absent or NO_POWER
    clocks, temperatures = read_clocks(root), read_temperatures(root)
    if gpu and gpu.clock_mhz:
        clocks.setdefault("gpu", Clock(gpu.clock_mhz, gpu.clock_limit_mhz))
    if gpu and gpu.temperature_c:
        temperatures[f"NVML GPU {device}"] = gpu.temperature_c
    return Sensors(
        root=root,
        meter=meter,
        power_absent="" if meter else absent,
        clocks=clocks,
        temperatures=temperatures,
        gpu_load=read_gpu_load(root) or (gpu.load if gpu else None),
        cooling=read_cooling(root),
        gpu_reasons=gpu.throttled if gpu else None,
        throttle_counters=read_throttle_counters(root),
    )
