"""Memory and disk space."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["DiskFacts", "MemoryFacts", "peak_bytes", "read_disk", "read_memory"]


@dataclass(frozen=True)
class MemoryFacts:
    """Memory, under the limit of this process's control group where there is one.

    Attributes:
        free_bytes: What this process may still take.
        total_bytes: All that there is, or the limit.
        swap_on_disk_bytes: Free swap that is not compressed memory (zram), which holds nothing more than memory does.
    """

    free_bytes: int
    total_bytes: int
    swap_on_disk_bytes: int


@dataclass(frozen=True)
class DiskFacts:
    """The disk of a directory.

    Attributes:
        directory: A directory on it.
        free_bytes: Space that is left.
    """

    directory: Path
    free_bytes: int


def read_memory(root: Path) -> MemoryFacts | None:
    """Read how much memory there is; None where the system does not tell.

    Args:
        root: Where ``/proc`` and ``/sys`` are found.
    """
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
    return MemoryFacts(free, total, _swap_on_disk(root))


def read_disk(directory: Path) -> DiskFacts:
    """Read how much space the disk of a directory has."""
    return DiskFacts(directory, shutil.disk_usage(directory).free)


def _swap_on_disk(root: Path) -> int:
    rows = (line.split() for line in text_of(root / "proc/swaps").splitlines()[1:])
    return sum(
        (int(row[2]) - int(row[3])) * 1024 for row in rows if len(row) == 5 and not row[0].startswith("/dev/zram")
    )


def peak_bytes(root: Path = Path("/")) -> int | None:
    """Most memory that this process held at once so far, in bytes; None where the system does not tell.

    ``getrusage`` would count that of the process which started this one, too.

    Args:
        root: Where ``/proc`` is found.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB", text_of(root / "proc/self/status"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None
