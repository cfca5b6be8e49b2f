"""How much memory a build may take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.backends.cuda.device import open_device

__all__ = ["FreeMemory", "free_memory", "limit_memory"]

_WORKSPACE_SHARE = 0.5
_TACTIC_SHARE = 0.75


@dataclass(frozen=True)
class FreeMemory:
    """Free memory of a GPU.

    Attributes:
        nbytes: How much.
        shared: The processor has the same, and the library counts what a build takes of it there as well.
    """

    nbytes: int
    shared: bool


def free_memory(root: Path = Path("/")) -> FreeMemory:
    """The GPU's free memory.

    On a board whose GPU shares the processor's memory the driver does not count what the system's file cache could
    give back and knows nothing of other processes' needs; there the system's own estimate is taken.

    Args:
        root: Where ``/proc`` is found.

    Raises:
        MachineError: There is no GPU, or its library is not installed.
    """
    with open_device() as device:
        meminfo = root / "proc/meminfo"
        if device.facts.integrated and meminfo.is_file():
            found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(encoding="ascii"), re.M)
            if found:
                return FreeMemory(int(found[1]) << 10, shared=True)
        with device.current():
            return FreeMemory(device.free_bytes(), shared=device.facts.integrated)


def limit_memory(trt: Any, config: Any, free: int, *, kernels: bool = True) -> bool:
    """Keep a build within the memory that is free.

    Without limits the builder tries kernels that need all memory of the device. The workspace stays with the plan when
    it runs, beside cameras and other engines, so that half of the free memory is its limit; trying kernels is over when
    the build is, and a quarter is left for the weights.

    Args:
        trt: The library.
        config: Builder configuration.
        free: Bytes.
        kernels: Limit what trying kernels takes, too.

    Returns:
        Whether that is limited.
    """
    pools = trt.MemoryPoolType
    config.set_memory_pool_limit(pools.WORKSPACE, int(free * _WORKSPACE_SHARE))
    limited = kernels and hasattr(pools, "TACTIC_DRAM")
    if limited:
        config.set_memory_pool_limit(pools.TACTIC_DRAM, int(free * _TACTIC_SHARE))
    return limited
