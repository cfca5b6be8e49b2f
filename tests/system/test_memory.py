from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from fcn_edge.system.memory import DiskFacts, MemoryFacts, read_disk, read_memory

from ..doctor import trees
from ..doctor.trees import written

GIB = 1 << 30
FILE = "/swapfile file 8388604 4194304 -2\n"
ZRAM = "/dev/zram0 partition 634000 0 5\n"


@pytest.mark.parametrize(
    ("limit", "used", "free", "total"),
    [
        (None, None, 4 * GIB, 8 * GIB),
        ("max", str(GIB), 4 * GIB, 8 * GIB),
        (str(2 * GIB), str(GIB // 2), 3 * GIB // 2, 2 * GIB),
        (str(2 * GIB), str(3 * GIB), 0, 2 * GIB),
    ],
)
def test_a_control_groups_limit_binds(
    tmp_path: Path, limit: str | None, used: str | None, free: int, total: int
) -> None:
    root = written(tmp_path, trees.memory(4))
    if limit is not None and used is not None:
        written(root, {"sys/fs/cgroup/memory.max": limit + "\n", "sys/fs/cgroup/memory.current": used + "\n"})
    assert read_memory(root) == MemoryFacts(free, total, 0)


@pytest.mark.parametrize(("swaps", "on_disk"), [("", 0), (ZRAM, 0), (ZRAM + FILE, 4194300 * 1024)])
def test_compressed_memory_is_no_swap_on_disk(tmp_path: Path, swaps: str, on_disk: int) -> None:
    found = read_memory(written(tmp_path, trees.memory(4, swaps=swaps)))
    assert found is not None
    assert found.swap_on_disk_bytes == on_disk


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert read_memory(tmp_path) is None
    assert read_memory(written(tmp_path, {"proc/meminfo": "MemTotal: 100 kB\n"})) is None


def test_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 7, 3))
    assert read_disk(tmp_path) == DiskFacts(tmp_path, 3)
