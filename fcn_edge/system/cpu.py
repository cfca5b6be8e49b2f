"""The processor: how many cores are ours, what it is called, and which instructions it has."""

from __future__ import annotations

import math
import os
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.system.text import text_of

__all__ = [
    "CpuFacts",
    "available_cores",
    "board_name",
    "cpu_name",
    "instruction_set",
    "int8_misfit",
    "read_cpu",
    "thread_count",
]

_CLASSES = (
    ("amx", {"amx_int8", "avx512_vnni"}),
    ("avx512_vnni", {"avx512_vnni"}),
    ("avx_vnni", {"avx_vnni"}),
    ("avx512", {"avx512f", "avx512bw", "avx512vl"}),
    ("avx2", {"avx2", "fma"}),
    ("i8mm", {"i8mm"}),
    ("dotprod", {"asimddp"}),
    ("neon", {"asimd"}),
)
"""Classes of instructions that make a different int8 graph the fastest, best first, and the flags of each."""

_FEATURES = ("avx2", "fma", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
"""Flags of ``/proc/cpuinfo`` that a network's speed depends on."""


@dataclass(frozen=True)
class CpuFacts:
    """The processor, as this process may use it.

    Attributes:
        name: What the processor or its board calls itself, such as ``AMD EPYC``.
        architecture: Such as ``x86_64`` or ``aarch64``.
        cores: Physical cores that this process may use, at least 1.
        threads: Hardware threads of the machine.
        instruction_set: Class of the vector instructions, such as ``avx2`` or ``dotprod``.
        features: Flags of the vector instructions, such as ``("avx2", "fma")``; None where the system does not tell.
        governor: What sets the first core's clock, such as ``performance``; empty where the system does not tell.
        clocks_mhz: Clock of each hardware thread when it was read; empty where the system does not tell.
    """

    name: str
    architecture: str
    cores: int
    threads: int
    instruction_set: str
    features: tuple[str, ...] | None
    governor: str
    clocks_mhz: tuple[float, ...]


def read_cpu(root: Path, board: str) -> CpuFacts:
    """Read what the processor is.

    Args:
        root: Where ``/sys`` and ``/proc`` are found.
        board: What the board calls itself, which stands in for a processor without a name; may be empty.
    """
    cpuinfo = text_of(root / "proc/cpuinfo")
    flags, architecture = _flags(cpuinfo), platform.machine() or "unknown"
    return CpuFacts(
        name=_name(cpuinfo) or board or architecture,
        architecture=architecture,
        cores=available_cores(root),
        threads=os.cpu_count() or 1,
        instruction_set=_class_of(flags),
        features=None if flags is None else tuple(name for name in _FEATURES if name in flags),
        governor=text_of(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip(),
        clocks_mhz=tuple(map(float, re.findall(r"^cpu MHz\s*:\s*(\d+(?:\.\d+)?)$", cpuinfo, re.MULTILINE))),
    )


def available_cores(root: Path = Path("/")) -> int:
    """Physical cores that this process may use, at least 1.

    CPU affinity (taskset, cpusets) and the quota of a control group (containers) both count; two hardware threads of
    one core count as one, since they share the units that do a network's arithmetic.

    Args:
        root: Where ``/sys`` and ``/proc`` are found.
    """
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_core_of(root, cpu) for cpu in cpus}
    return max(1, math.ceil(min(len(cores), _quota(root))))


def thread_count(threads: int | None) -> int:
    """Threads that a network runs with.

    Args:
        threads: As many as were asked for; the physical cores that the process may use when left out.

    Raises:
        UsageError: ``threads`` is less than 1.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; 1 or more was expected.", "Leave it out to use every core.")
    return threads or available_cores()


def cpu_name(root: Path = Path("/")) -> str:
    """What the processor or its board calls itself, such as ``AMD EPYC``; the architecture where it has no name."""
    return _name(text_of(root / "proc/cpuinfo")) or board_name(root) or platform.machine() or "unknown"


def board_name(root: Path) -> str:
    """What the board calls itself, such as ``NVIDIA Jetson Orin Nano Developer Kit``; empty on a PC."""
    return text_of(root / "proc/device-tree/model").strip("\0\n ")


@cache
def instruction_set(root: Path = Path("/")) -> str:
    """Class of the processor's vector instructions, such as ``avx2``, ``avx512_vnni`` or ``dotprod``.

    A graph quantized for one class may be slow, or saturate, on another. Where the flags cannot be read it is the
    architecture.
    """
    return _class_of(_flags(text_of(root / "proc/cpuinfo")))


def int8_misfit(built_for: str, precision: str) -> str:
    """Why a plan built for a processor must not run on this one, as a phrase; empty when it may.

    Args:
        built_for: Class of that processor's instructions.
        precision: Precision of the plan.
    """
    here = instruction_set()
    if precision == "int8" and built_for != here:
        return f"its int8 graph is for processors with {built_for}, and this one has {here}"
    return ""


def _name(cpuinfo: str) -> str:
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return ""


def _flags(cpuinfo: str) -> set[str] | None:
    """The flags of the first core; None where there are none."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return set(value.split())
    return None


def _class_of(flags: set[str] | None) -> str:
    found = (kind for kind, needed in _CLASSES if flags is not None and needed <= flags)
    return next(found, platform.machine() or "unknown")


def _core_of(root: Path, cpu: int) -> str:
    return text_of(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").strip() or str(cpu)


def _quota(root: Path) -> float:
    """Cores' worth of time that the control groups of this process grant; infinity when none of them says."""
    least = math.inf
    for line in text_of(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        group = top / path.lstrip("/")
        # a limit on any group above binds as well; in a container the path may not exist and the top is its own group
        for level in [group, *group.parents]:
            least = min(least, _granted(level))
            if level == top:
                break
    return least


def _granted(group: Path) -> float:
    quota, _, period = text_of(group / "cpu.max").partition(" ")
    if not period:
        quota, period = text_of(group / "cpu.cfs_quota_us"), text_of(group / "cpu.cfs_period_us")
    try:
        granted, every = int(quota), int(period)
    except ValueError:  # "max", or no such files
        return math.inf
    return granted / every if granted > 0 and every > 0 else math.inf
