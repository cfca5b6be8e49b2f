"""Processor, disk and the variables that steer threads."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.system.cpu import available_cores, cpu_name
from fcn_edge.system.text import text_of

__all__ = ["cores", "disk", "instructions", "thread_variables"]

GIB = 1 << 30
ENOUGH_DISK = 1 * GIB

INSTRUCTIONS = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "amx_int8": "AMX INT8",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
    "i8mm": "INT8 matrix product",
}
"""Instruction sets that make networks fast, by their flag in ``/proc/cpuinfo``."""

FAST = frozenset({"avx2", "asimd"})

LIMITS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores(root: Path) -> Check:
    """The processor, and how many of its cores this process may use.

    A command's affinity (``taskset``) and the quota of a container both count.
    """
    usable, threads = available_cores(root), os.cpu_count() or 1
    found = f"{cpu_name(root)}; {usable} usable core{'s' * (usable > 1)} of {threads} hardware threads"
    return Check("processor", True, found)


def instructions(root: Path) -> Check:
    """The vector instructions of the processor."""
    lines = text_of(root / "proc/cpuinfo").splitlines()
    flags = {
        flag for line in lines if re.match(r"(flags|Features)\s*:", line) for flag in line.partition(":")[2].split()
    }
    names = [name for flag, name in INSTRUCTIONS.items() if flag in flags]
    if not flags:
        return Check("instruction sets", True, "unknown: /proc/cpuinfo says nothing of them")
    fix = "" if flags & FAST else "Networks run several times slower here; use a processor with AVX2 or NEON."
    return Check("instruction sets", not fix, ", ".join(names) or "none of AVX2 and NEON", fix)


def disk(directory: Path) -> Check:
    """Space on the disk of a directory."""
    usage = shutil.disk_usage(directory)
    fix = "" if usage.free >= ENOUGH_DISK else f"Free some space on the disk of {directory}."
    return Check("disk", not fix, f"{usage.free / GIB:.1f} GiB free at {directory}", fix)


def thread_variables(environ: Mapping[str, str], usable: int) -> Check:
    """Variables that make the libraries' threads too few, too many or spinning.

    Args:
        environ: The environment.
        usable: Cores that this process may use.
    """
    harm: dict[str, str] = {}
    for name in LIMITS:
        value = environ.get(name, "").strip()
        if not value:
            continue
        if not value.isdecimal() or value == "0":
            harm[name] = f"{name}={value} is no number of threads"
        elif int(value) > usable:
            harm[name] = f"{name}={value} exceeds the {usable} usable cores"
        elif int(value) < usable and name.startswith("OMP_"):
            harm[name] = f"{name}={value} keeps training to {value} of {usable} cores"
    if environ.get("OMP_WAIT_POLICY", "").strip().lower() == "active":
        harm["OMP_WAIT_POLICY"] = "OMP_WAIT_POLICY=active lets idle threads spin and slow the others"
    if not harm:
        return Check("thread variables", True, "none that slows anything")
    return Check("thread variables", False, "; ".join(harm.values()), f"unset {' '.join(harm)}")
