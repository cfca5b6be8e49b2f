"""How much memory a build may take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fcn_edge.backends.cuda.device import open_device

__all__ = ["free_bytes", "limit_memory"]

_WORKSPACE_SHARE = 0.5
_TACTIC_SHARE = 0.75


def free_bytes(root: Path = Path("/")) -> int:
    """Free bytes of the GPU's memory.

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
                return int(found[1]) << 10
        with device.current():
            return device.free_bytes()


def limit_memory(trt: Any, config: Any, free: int) -> None:
    """Keep a build within the memory that is free.

    Without limits the builder tries kernels that need all memory of the device. The workspace stays with the plan when
    it runs, beside cameras and other engines, so that half of the free memory is its limit; trying kernels is over when
    the build is, and a quarter is left for the weights.

    Args:
        trt: The library.
        config: Builder configuration.
        free: Bytes.
    """
    pools = trt.MemoryPoolType
    config.set_memory_pool_limit(pools.WORKSPACE, int(free * _WORKSPACE_SHARE))
    if hasattr(pools, "TACTIC_DRAM"):
        config.set_memory_pool_limit(pools.TACTIC_DRAM, int(free * _TACTIC_SHARE))
