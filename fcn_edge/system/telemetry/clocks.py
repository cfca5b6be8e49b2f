"""Clocks of the processor, the GPU and the memory, from cpufreq, devfreq and a Jetson's clock controller.

``tegrastats`` and jtop read the same files. A GPU that is a card of its own has its clock from NVML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.telemetry.readings import Reading, highest, number_in, reading_of

__all__ = ["Clock", "read_clocks", "read_gpu_load"]

_GPU = re.compile(r".+\.(?:gpu|ga10b|gv11b)|gpu-gpc-\d+")
"""Names of a GPU in devfreq: ``17000000.gpu`` or ``17000000.ga10b`` on Orin, ``gpu-gpc-0`` on Thor."""

_MHZ_OF_KHZ, _MHZ_OF_HZ = 1e-3, 1e-6


@dataclass(frozen=True)
class Clock:
    """A clock.

    Attributes:
        mhz: The clock now; of several cores that of the fastest, because idle ones rest.
        limit_mhz: What it may reach in the present power mode; None where that is not told.
    """

    mhz: Reading
    limit_mhz: float | None


def read_clocks(root: Path) -> dict[str, Clock]:
    """Look for clocks: those of ``cpu``, ``gpu`` and ``emc`` that the kernel shows.

    Args:
        root: Where ``/sys`` is found.
    """
    system = root / "sys"
    policies = sorted((system / "devices/system/cpu/cpufreq").glob("policy*"))
    emc = system / "kernel/debug/bpmp/debug/clk/emc"  # Orin, for root only; a Thor has it in devfreq
    found = {
        "cpu": _clock(policies, "scaling_cur_freq", "scaling_max_freq", _MHZ_OF_KHZ),
        "gpu": _clock(_gpus(root), "cur_freq", "max_freq", _MHZ_OF_HZ),
        "emc": _clock([system / "class/devfreq/bwmgr"], "cur_freq", "max_freq", _MHZ_OF_HZ)
        or _clock([emc], "rate", "max_rate", _MHZ_OF_HZ),
    }
    return {name: clock for name, clock in found.items() if clock is not None}


def read_gpu_load(root: Path) -> Reading | None:
    """Share of time that a Jetson's GPU is busy, from 0 to 1; None where the kernel does not show it.

    Args:
        root: Where ``/sys`` is found.
    """
    files = [folder / "device/load" for folder in _gpus(root)]
    readable = [reading_of(file, 1e-3) for file in files if number_in(file) is not None]
    return highest(readable) if readable else None


def _gpus(root: Path) -> list[Path]:
    return [folder for folder in sorted((root / "sys/class/devfreq").glob("*")) if _GPU.fullmatch(folder.name)]


def _clock(folders: Iterable[Path], current: str, limit: str, unit: float) -> Clock | None:
    readable = [folder for folder in folders if number_in(folder / current) is not None]
    if not readable:
        return None
    now = [reading_of(folder / current, unit) for folder in readable]
    return Clock(highest(now), highest([reading_of(folder / limit, unit) for folder in readable])())
