"""How busy the machine is with other work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["CpuTime", "load_average", "read_cpu_time"]


@dataclass(frozen=True)
class CpuTime:
    """Time of all processors since the machine started, in the kernel's ticks.

    Attributes:
        total: All of it, idle time included.
        stolen: What the hypervisor gave to other machines while this one had work.
    """

    total: int
    stolen: int

    def steal_since(self, before: CpuTime) -> float | None:
        """Share that was stolen since then, from 0 to 1; None within one tick."""
        total = self.total - before.total
        # some kernels' idle time goes back now and then, so that the share may leave its range by a little
        return min(1.0, max(0.0, (self.stolen - before.stolen) / total)) if total > 0 else None


def load_average(root: Path) -> float | None:
    """Mean number of processes that ran or waited in the last minute; None where the kernel does not tell.

    Args:
        root: Where ``/proc`` is found.
    """
    words = text_of(root / "proc/loadavg").split()
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return None


def read_cpu_time(root: Path) -> CpuTime | None:
    """Time of all processors; None where the kernel does not tell.

    Args:
        root: Where ``/proc`` is found.
    """
    name, *words = text_of(root / "proc/stat").partition("\n")[0].split() or [""]
    if name != "cpu" or len(words) < 8 or not all(word.isdecimal() for word in words):
        return None
    # user nice system idle iowait irq softirq steal; guests' time, which follows, is in user and nice already
    ticks = [int(word) for word in words[:8]]
    return CpuTime(sum(ticks), ticks[7])
