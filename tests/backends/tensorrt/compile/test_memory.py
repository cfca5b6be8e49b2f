from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fcn_edge.backends.tensorrt.compile import memory
from fcn_edge.backends.tensorrt.compile.memory import FreeMemory, free_memory, limit_memory


def use_device(monkeypatch: pytest.MonkeyPatch, *, integrated: bool) -> None:
    """A GPU that says that 5 GiB are free."""

    @contextmanager
    def current() -> Iterator[None]:
        yield

    @contextmanager
    def open_device() -> Iterator[Any]:
        yield SimpleNamespace(facts=SimpleNamespace(integrated=integrated), current=current, free_bytes=lambda: 5 << 30)

    monkeypatch.setattr(memory, "open_device", open_device)


@pytest.mark.parametrize(("integrated", "free"), [(True, 3000 << 10), (False, 5 << 30)])
def test_a_shared_memory_is_asked_of_the_system(
    integrated: bool, free: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_device(monkeypatch, integrated=integrated)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  8000 kB\nMemFree:  100 kB\nMemAvailable:    3000 kB\n")
    assert free_memory(tmp_path) == FreeMemory(free, integrated)


def test_a_system_that_does_not_say_leaves_the_driver_s_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_device(monkeypatch, integrated=True)
    assert free_memory(tmp_path) == FreeMemory(5 << 30, shared=True)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("pools", [("WORKSPACE",), ("WORKSPACE", "TACTIC_DRAM")])
def test_pools_that_there_are_get_limits(pools: tuple[str, ...], kernels: bool) -> None:
    limits: dict[str, int] = {}
    trt = SimpleNamespace(MemoryPoolType=SimpleNamespace(**{pool: pool for pool in pools}))
    limited = limit_memory(trt, SimpleNamespace(set_memory_pool_limit=limits.__setitem__), 1000, kernels=kernels)
    wanted = {"WORKSPACE": 500, **({"TACTIC_DRAM": 750} if kernels and "TACTIC_DRAM" in pools else {})}
    assert (limits, limited) == (wanted, "TACTIC_DRAM" in wanted)
