"""Memory: what is free for models, and whether it is enough for a build."""

from __future__ import annotations

import re
from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.jetson import in_container
from fcn_edge.system.text import text_of

__all__ = ["build_memory", "memory"]

GIB = 1 << 30
ENOUGH_MEMORY = 1 * GIB
ENOUGH_FOR_A_BUILD = 2 * GIB

SWAP_FILE = (
    "sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
)


def memory(root: Path) -> Check:
    """Memory that is free for this process, under the limit of its control group where there is one."""
    sizes = _free_and_total(root)
    if sizes is None:
        return Check("memory", True, "unknown: /proc/meminfo says nothing of it")
    free, total = sizes
    fix = "" if free >= ENOUGH_MEMORY else "Close other programs; a small model needs about 0.5 GiB."
    return Check("memory", not fix, f"{free / GIB:.1f} of {total / GIB:.1f} GiB free", fix)


def build_memory(root: Path) -> Check | None:
    """Whether a build has room on a board whose GPU shares the memory; None where the system does not tell.

    Swap on disk counts, because it takes in what other programs hold. Swap in zram does not: it is memory itself.
    """
    sizes = _free_and_total(root)
    if sizes is None:
        return None
    free, swap = sizes[0], _swap_on_disk(root)
    found = f"{free / GIB:.1f} GiB free, {f'{swap / GIB:.1f} GiB of' if swap else 'no'} swap on disk"
    if free >= ENOUGH_FOR_A_BUILD or swap:
        return Check("memory for builds", True, found)
    why = "TensorRT's builder skips every kernel (tactic) that does not fit, and the engine is slower for it"
    place = "on the host: " if in_container(root) else ""
    return Check("memory for builds", False, f"{found}: {why}", place + SWAP_FILE)


def _free_and_total(root: Path) -> tuple[int, int] | None:
    """Bytes free for this process and bytes in all; None where the system does not tell."""
    sizes = {
        name: int(value) * 1024
        for name, value in re.findall(r"^(\w+):\s+(\d+) kB", text_of(root / "proc/meminfo"), re.MULTILINE)
    }
    if "MemAvailable" not in sizes or "MemTotal" not in sizes:
        return None
    free, total = sizes["MemAvailable"], sizes["MemTotal"]
    limit = text_of(root / "sys/fs/cgroup/memory.max").strip()
    used = text_of(root / "sys/fs/cgroup/memory.current").strip()
    if limit.isdecimal() and used.isdecimal():
        total = min(total, int(limit))
        free = max(0, min(free, int(limit) - int(used)))
    return free, total


def _swap_on_disk(root: Path) -> int:
    """Free bytes of swap that is not compressed memory."""
    rows = (line.split() for line in text_of(root / "proc/swaps").splitlines()[1:])
    return sum(
        (int(row[2]) - int(row[3])) * 1024 for row in rows if len(row) == 5 and not row[0].startswith("/dev/zram")
    )
