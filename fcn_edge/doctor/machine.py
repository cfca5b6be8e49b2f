"""Processor, disk and the variables that steer threads."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.facts import MachineFacts

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


def cores(facts: MachineFacts) -> Check:
    """The processor, and how many of its cores this process may use.

    A command's affinity (``taskset``) and the quota of a container both count.
    """
    cpu = facts.cpu
    found = f"{cpu.name}; {cpu.cores} usable core{'s' * (cpu.cores > 1)} of {cpu.threads} hardware threads"
    return Check("processor", True, found)


def instructions(facts: MachineFacts) -> Check:
    """The vector instructions of the processor."""
    features = facts.cpu.features
    if features is None:
        return Check("instruction sets", True, "unknown: /proc/cpuinfo says nothing of them")
    names = [name for flag, name in INSTRUCTIONS.items() if flag in features]
    fix = "" if FAST & set(features) else "Networks run several times slower here; use a processor with AVX2 or NEON."
    return Check("instruction sets", not fix, ", ".join(names) or "none of AVX2 and NEON", fix)


def disk(facts: MachineFacts) -> Check:
    """Space on the disk of the working directory."""
    free, directory = facts.disk.free_bytes, facts.disk.directory
    fix = "" if free >= ENOUGH_DISK else f"Free some space on the disk of {directory}."
    return Check("disk", not fix, f"{free / GIB:.1f} GiB free at {directory}", fix)


def thread_variables(facts: MachineFacts) -> Check:
    """Variables that make the libraries' threads too few, too many or spinning."""
    environ, usable = facts.environment, facts.cpu.cores
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
