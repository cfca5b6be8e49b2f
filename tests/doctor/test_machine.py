from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from fcn_edge.doctor import machine

from .trees import facts, written

GIB = 1 << 30


def test_the_processor_is_named_with_its_usable_cores(tmp_path: Path) -> None:
    root = written(tmp_path, {"proc/cpuinfo": "processor : 0\nmodel name : Some   CPU 3000\n"})
    check = machine.cores(facts(root))
    assert check.ok
    assert check.found.startswith("Some CPU 3000; ")
    assert "usable core" in check.found


def test_a_containers_quota_counts(tmp_path: Path) -> None:
    root = written(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"})
    assert "; 1 usable core of" in machine.cores(facts(root)).found


@pytest.mark.parametrize(
    ("line", "ok", "found"),
    [
        (
            "flags\t\t: fpu sse2 avx2 fma avx512f avx512_vnni amx_int8",
            True,
            "AVX2, FMA, AVX-512, AVX-512 VNNI, AMX INT8",
        ),
        ("Features\t: fp asimd asimddp", True, "NEON, NEON dot product"),
        ("flags\t\t: fpu sse2 ssse3", False, "none of AVX2 and NEON"),
    ],
)
def test_instruction_sets(tmp_path: Path, line: str, ok: bool, found: str) -> None:
    check = machine.instructions(facts(written(tmp_path, {"proc/cpuinfo": f"processor : 0\n{line}\n"})))
    assert (check.ok, check.found, bool(check.fix)) == (ok, found, not ok)


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert machine.instructions(facts(tmp_path)).found.startswith("unknown")


@pytest.mark.parametrize(("free", "ok"), [(5 * GIB, True), (GIB // 4, False)])
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, ok: bool) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10 * GIB, 10 * GIB - free, free))
    check = machine.disk(facts(tmp_path))
    assert (check.ok, bool(check.fix)) == (ok, not ok)
    assert f"{free / GIB:.1f} GiB free" in check.found


@pytest.mark.parametrize(
    ("environ", "fix"),
    [
        ({}, ""),
        ({"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "1"}, ""),
        ({"OMP_NUM_THREADS": "1"}, "unset OMP_NUM_THREADS"),
        ({"OMP_NUM_THREADS": "many"}, "unset OMP_NUM_THREADS"),
        ({"OMP_THREAD_LIMIT": "2"}, "unset OMP_THREAD_LIMIT"),
        ({"OPENBLAS_NUM_THREADS": "64", "MKL_NUM_THREADS": "0"}, "unset OPENBLAS_NUM_THREADS MKL_NUM_THREADS"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "unset OMP_WAIT_POLICY"),
        ({"OMP_WAIT_POLICY": "passive"}, ""),
    ],
)
def test_thread_variables(tmp_path: Path, environ: dict[str, str], fix: str) -> None:
    found = facts(tmp_path, environ=environ)
    check = machine.thread_variables(replace(found, cpu=replace(found.cpu, cores=4)))
    assert check.fix == fix
    assert check.ok == (not fix)
    for name in fix.split()[1:]:
        assert f"{name}={environ[name]}".lower() in check.found.lower()
