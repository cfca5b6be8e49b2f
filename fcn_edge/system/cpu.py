"""The processor: how many cores are ours, what it is called, and which instructions it has."""

from __future__ import annotations

import math
import os
import platform
from functools import cache
from pathlib import Path

from fcn_edge.errors import UsageError

__all__ = ["available_cores", "cpu_name", "instruction_set", "int8_misfit", "thread_count"]

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
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return _text(root / "proc/device-tree/model").strip("\0\n ") or platform.machine() or "unknown"


@cache
def instruction_set(root: Path = Path("/")) -> str:
    """Class of the processor's vector instructions, such as ``avx2``, ``avx512_vnni`` or ``dotprod``.

    A graph quantized for one class may be slow, or saturate, on another. Where the flags cannot be read it is the
    architecture.
    """
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            flags = set(value.split())
            return next((kind for kind, needed in _CLASSES if needed <= flags), platform.machine())
    return platform.machine() or "unknown"


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


def _core_of(root: Path, cpu: int) -> str:
    return _text(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").strip() or str(cpu)


def _quota(root: Path) -> float:
    """Cores' worth of time that the control groups of this process grant; infinity when none of them says."""
    least = math.inf
    for line in _text(root / "proc/self/cgroup").splitlines():
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
    quota, _, period = _text(group / "cpu.max").partition(" ")
    if not period:
        quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    try:
        granted, every = int(quota), int(period)
    except ValueError:  # "max", or no such files
        return math.inf
    return granted / every if granted > 0 and every > 0 else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
