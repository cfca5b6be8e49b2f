from __future__ import annotations

from typing import Any

import pytest

from fcn_edge.bench.conditions import changed_versions, differing_conditions
from fcn_edge.bench.result import BenchResult
from tests.bench_results import bench_result, bench_row


def with_machine(**parts: Any) -> BenchResult:
    result = bench_result(bench_row())
    return result.model_copy(update={"machine": result.machine | parts})


def test_the_same_machine_has_no_differences() -> None:
    result = bench_result(bench_row())
    assert differing_conditions(result, result) == []
    assert changed_versions(result, result) == []


@pytest.mark.parametrize(
    ("other", "change"),
    [
        (
            with_machine(cpu={"name": "Neoverse", "cores": 2, "instruction_set": "avx512_vnni", "governor": ""}),
            ("processor", "AMD EPYC", "Neoverse"),
        ),
        (
            with_machine(cpu={"name": "AMD EPYC", "cores": 2, "instruction_set": "avx2", "governor": ""}),
            ("instruction set", "avx512_vnni", "avx2"),
        ),
        (with_machine(jetson={"board": "Jetson Orin Nano"}), ("board", "", "Jetson Orin Nano")),
        (with_machine(nvidia={"names": ["L4", "L4"]}), ("NVIDIA hardware", "", "L4, L4")),
        (bench_result(bench_row(), threads=4), ("threads", "2", "4")),
        (bench_result(bench_row(), frames="drive.mp4"), ("frames", "rendered street, 720x1280", "drive.mp4")),
        (bench_result(bench_row(frame_size=(1080, 1920))), ("frame size", "720x1280", "1080x1920")),
        (bench_result(bench_row(device="GPU")), ("device", "AMD EPYC", "GPU")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_keeps_times_from_being_compared(other: BenchResult, change: tuple[str, str, str]) -> None:
    assert differing_conditions(bench_result(bench_row()), other) == [change]


def test_a_row_that_was_not_measured_twice_is_no_difference() -> None:
    absent = bench_row(device="", state="absent", problem="No.", network_ms=None, end_to_end_ms=None, throughput=None)
    assert differing_conditions(bench_result(bench_row()), bench_result(absent)) == []


def test_versions_are_told_and_keep_nothing_from_being_compared() -> None:
    before = bench_result(bench_row(), bench_row("fcn16s"))
    after = bench_result(bench_row(digest="1" * 64), bench_row("fcn16s"), frames_per_round=40)
    software = {
        "python": "3.12.1",
        "packages": {"fcn_edge": "0.2", "openvino": "2026.0"},
        "debian": {"nvidia-jetpack": "6.2"},
    }
    after = after.model_copy(
        update={"machine": after.machine | {"software": software, "environment": {"OMP_NUM_THREADS": "1"}}}
    )
    assert differing_conditions(before, after) == []
    assert changed_versions(before, after) == [
        ("Python", "3.11.7", "3.12.1"),
        ("fcn_edge", "0.1", "0.2"),
        ("onnxruntime", "1.0", ""),
        ("openvino", "", "2026.0"),
        ("Debian's nvidia-jetpack", "", "6.2"),
        ("environment: OMP_NUM_THREADS", "", "1"),
        ("frames per round", "20", "40"),
        ("weights of camvid-mobilenet_v2-fcn8s", "0" * 12, "1" * 12),
    ]


def test_a_machine_that_tells_little_is_no_error() -> None:
    bare = bench_result(bench_row(), machine={})
    assert differing_conditions(bare, bare) == []
    assert changed_versions(bare, bare) == []
