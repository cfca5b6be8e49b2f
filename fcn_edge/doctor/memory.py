"""Memory: what is free for models, and whether it is enough for a build."""

from __future__ import annotations

from fcn_edge.doctor.check import Check
from fcn_edge.system.facts import MachineFacts

__all__ = ["build_memory", "memory"]

GIB = 1 << 30
ENOUGH_MEMORY = 1 * GIB
ENOUGH_FOR_A_BUILD = 2 * GIB

SWAP_FILE = (
    "sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
)


def memory(facts: MachineFacts) -> Check:
    """Memory that is free for this process, under the limit of its control group where there is one."""
    found = facts.memory
    if found is None:
        return Check("memory", True, "unknown: /proc/meminfo says nothing of it")
    free = found.free_bytes
    fix = "" if free >= ENOUGH_MEMORY else "Close other programs; a small model needs about 0.5 GiB."
    return Check("memory", not fix, f"{free / GIB:.1f} of {found.total_bytes / GIB:.1f} GiB free", fix)


def build_memory(facts: MachineFacts) -> Check | None:
    """Whether a build has room on a board whose GPU shares the memory; None where the system does not tell.

    Swap on disk counts, because it takes in what other programs hold.
    """
    if facts.memory is None:
        return None
    free, swap = facts.memory.free_bytes, facts.memory.swap_on_disk_bytes
    found = f"{free / GIB:.1f} GiB free, {f'{swap / GIB:.1f} GiB of' if swap else 'no'} swap on disk"
    if free >= ENOUGH_FOR_A_BUILD or swap:
        return Check("memory for builds", True, found)
    why = "TensorRT's builder skips every kernel (tactic) that does not fit, and the engine is slower for it"
    place = "on the host: " if facts.container else ""
    return Check("memory for builds", False, f"{found}: {why}", place + SWAP_FILE)
