from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.system import cpu as module
from fcn_edge.system.cpu import available_cores, cpu_name, instruction_set, int8_misfit, read_cpu, thread_count

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of a made-up machine, whose root is ``tmp_path``."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@pytest.fixture
def four_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})


def siblings(write: Write, *groups: str) -> None:
    for cpu, group in enumerate(groups):
        write(f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", f"{group}\n")


def test_this_machine_has_a_core_and_a_name() -> None:
    assert 1 <= available_cores() <= len(os.sched_getaffinity(0))
    assert cpu_name()
    assert instruction_set()


@pytest.mark.usefixtures("four_cpus")
def test_every_cpu_is_a_core_where_the_machine_does_not_say(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 4


@pytest.mark.usefixtures("four_cpus")
def test_hardware_threads_of_one_core_count_once(tmp_path: Path, write: Write) -> None:
    siblings(write, "0,2", "1,3", "0,2", "1,3")
    assert available_cores(tmp_path) == 2


def test_affinity_counts(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    siblings(write, "0", "1", "2", "3")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3})
    assert available_cores(tmp_path) == 2


@pytest.mark.usefixtures("four_cpus")
@pytest.mark.parametrize(
    ("quota", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 4), ("900000 100000", 4), ("", 4)]
)
def test_quota_of_a_container_counts(tmp_path: Path, write: Write, quota: str, cores: int) -> None:
    write("proc/self/cgroup", "0::/\n")
    write("sys/fs/cgroup/cpu.max", f"{quota}\n")
    assert available_cores(tmp_path) == cores


@pytest.mark.usefixtures("four_cpus")
def test_quota_of_a_group_above_counts(tmp_path: Path, write: Write) -> None:
    write("proc/self/cgroup", "0::/system.slice/camera.service\n")
    write("sys/fs/cgroup/system.slice/camera.service/cpu.max", "max 100000\n")
    write("sys/fs/cgroup/system.slice/cpu.max", "200000 100000\n")
    assert available_cores(tmp_path) == 2


@pytest.mark.usefixtures("four_cpus")
@pytest.mark.parametrize(("quota", "cores"), [("300000", 3), ("-1", 4)])
def test_quota_of_the_older_control_groups_counts(tmp_path: Path, write: Write, quota: str, cores: int) -> None:
    write("proc/self/cgroup", "4:memory:/job\n1:cpu,cpuacct:/job\n")
    write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", f"{quota}\n")
    write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n")
    write("sys/fs/cgroup/memory/job/cpu.max", "100000 100000\n")
    assert available_cores(tmp_path) == cores


def test_name_is_the_processor_s_or_the_board_s(tmp_path: Path, write: Write) -> None:
    write("proc/device-tree/model", "NVIDIA Jetson Orin Nano\0")
    write("proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 62.50\n")
    assert cpu_name(tmp_path) == "NVIDIA Jetson Orin Nano"
    write("proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD  EPYC 7B13\n")
    assert cpu_name(tmp_path) == "AMD EPYC 7B13"


def test_name_is_the_architecture_where_nothing_says_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert cpu_name(tmp_path) == "riscv64"
    assert instruction_set(tmp_path) == "riscv64"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("flags\t: fpu avx avx2 fma", "avx2"),
        ("flags\t: avx2 fma avx_vnni", "avx_vnni"),
        ("flags\t: avx2 fma avx512f avx512bw avx512vl", "avx512"),
        ("flags\t: avx2 fma avx512f avx512bw avx512vl avx512_vnni", "avx512_vnni"),
        ("flags\t: avx2 fma avx512f avx512_vnni amx_int8", "amx"),
        ("Features\t: fp asimd", "neon"),
        ("Features\t: fp asimd asimddp", "dotprod"),
        ("Features\t: fp asimd asimddp i8mm", "i8mm"),
        ("flags\t: fpu sse2", "old"),
    ],
)
def test_instruction_set_is_the_best_class(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, line: str, kind: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "old")
    write("proc/cpuinfo", f"processor\t: 0\n{line}\n")
    assert instruction_set(tmp_path) == kind


def test_facts_of_a_processor(tmp_path: Path, write: Write) -> None:
    first = "processor : 0\nmodel name : AMD  EPYC\ncpu MHz : 2596.124\nflags : fpu avx2 fma\n\n"
    write("proc/cpuinfo", f"{first}processor : 1\ncpu MHz\t: 800\n")
    write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
    found = read_cpu(tmp_path, "a board")
    assert (found.name, found.instruction_set, found.features) == ("AMD EPYC", "avx2", ("avx2", "fma"))
    assert (found.governor, found.clocks_mhz) == ("performance", (2596.124, 800.0))


def test_a_processor_without_a_name_has_its_boards(tmp_path: Path, write: Write) -> None:
    write("proc/cpuinfo", "processor : 0\nFeatures : fp asimd asimddp\n")
    found = read_cpu(tmp_path, "NVIDIA Jetson Orin Nano")
    assert (found.name, found.features) == ("NVIDIA Jetson Orin Nano", ("asimd", "asimddp"))
    assert read_cpu(tmp_path, "").name == found.architecture


def test_threads_are_those_asked_for_or_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: 3)
    assert [thread_count(threads) for threads in (1, 7, None)] == [1, 7, 3]
    for threads in (0, -1):
        with pytest.raises(UsageError, match=f"threads is {threads}"):
            thread_count(threads)


@pytest.mark.parametrize(
    ("built_for", "precision", "fits"),
    [("avx2", "int8", True), ("avx512_vnni", "int8", False), ("avx512_vnni", "fp32", True), ("avx2", "fp16", True)],
)
def test_int8_plans_stay_on_their_instruction_set(
    built_for: str, precision: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "instruction_set", lambda: "avx2")
    said = int8_misfit(built_for, precision)
    assert (said == "") is fits
    if not fits:
        assert "for processors with avx512_vnni, and this one has avx2" in said
