from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.doctor.memory import build_memory, memory

from . import trees
from .trees import facts, written

GIB = 1 << 30


@pytest.mark.parametrize(
    ("available", "limit", "used", "ok", "found"),
    [
        (4 * GIB, None, None, True, "4.0 of 8.0 GiB free"),
        (GIB // 2, None, None, False, "0.5 of 8.0 GiB free"),
        (4 * GIB, "max", str(GIB), True, "4.0 of 8.0 GiB free"),
        (4 * GIB, str(2 * GIB), str(GIB // 2), True, "1.5 of 2.0 GiB free"),
        (4 * GIB, str(2 * GIB), str(2 * GIB), False, "0.0 of 2.0 GiB free"),
    ],
)
def test_memory(tmp_path: Path, available: int, limit: str | None, used: str | None, ok: bool, found: str) -> None:
    root = written(tmp_path, trees.memory(available / GIB))
    if limit is not None and used is not None:
        written(root, {"sys/fs/cgroup/memory.max": limit + "\n", "sys/fs/cgroup/memory.current": used + "\n"})
    check = memory(facts(root))
    assert (check.ok, check.found, bool(check.fix)) == (ok, found, not ok)


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert memory(facts(tmp_path)).found.startswith("unknown")
    assert build_memory(facts(tmp_path)) is None


FILE = "/swapfile file 8388604 4194304 -2\n"
ZRAM = "/dev/zram0 partition 634000 0 5\n/dev/zram1 partition 634000 0 5\n"


@pytest.mark.parametrize(
    ("free", "swaps", "ok", "found"),
    [
        (5, "", True, "5.0 GiB free, no swap on disk"),
        (1.5, FILE, True, "1.5 GiB free, 4.0 GiB of swap on disk"),
        (1.5, ZRAM + FILE, True, "1.5 GiB free, 4.0 GiB of swap on disk"),
        (1.5, ZRAM, False, "1.5 GiB free, no swap on disk"),
        (1.5, "", False, "1.5 GiB free, no swap on disk"),
    ],
)
def test_memory_for_builds(tmp_path: Path, free: float, swaps: str, ok: bool, found: str) -> None:
    check = build_memory(facts(written(tmp_path, trees.memory(free, swaps=swaps))))
    assert check is not None
    assert check.ok == ok
    assert check.found.startswith(found)
    assert ("skips every kernel (tactic)" in check.found) == (not ok)
    assert ("mkswap /swapfile && sudo swapon /swapfile" in check.fix) == (not ok)


def test_a_container_has_no_swap_of_its_own(tmp_path: Path) -> None:
    check = build_memory(facts(written(tmp_path, {".dockerenv": "", **trees.memory(1.5)})))
    assert check is not None
    assert check.fix.startswith("on the host: sudo fallocate")
