"""Whether the benchmark's own benchmark finds what it is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.repeated.__main__ import agree, compared, main, verdict_of
from fcn_edge.bench.result import BenchResult
from tests.bench_results import bench_result, bench_row

NAMES = ("fcn32s fp32 onnxruntime 256x320", "fcn8s fp32 onnxruntime 256x320", "slowed fp32 onnxruntime 256x320")


def run(fast: float = 50.0, slowed: float = 55.0, seed: int = 0) -> BenchResult:
    """A run whose last row is the slowed one."""
    times = (40.0, fast, slowed)
    rows = [
        bench_row(name=name, milliseconds=time, model=name.split()[0], seed=seed + place)
        for place, (name, time) in enumerate(zip(NAMES, times, strict=True))
    ]
    return bench_result(*rows, seed=seed)


def test_equal_runs_have_the_slowed_row_as_their_only_regression() -> None:
    pair = compared(run(), run(seed=20))
    assert pair["equal"] == []
    assert pair["planted"] == [NAMES[1]]
    assert pair["found"]
    assert pair["judged"] == 3


def test_what_does_not_hold_is_named() -> None:
    runs = [run(), run(fast=60.0, slowed=60.0, seed=20)]
    pair = compared(*runs)
    assert pair["equal"] == [NAMES[1]]
    failed = verdict_of([pair], runs)["failed"]
    assert "pairs in which nothing changed and something was found" in failed
    assert verdict_of([compared(run(), run(seed=20))], [run(), run(seed=20)])["failed"] == []


def test_medians_agree_where_their_intervals_overlap() -> None:
    first, second = bench_row(milliseconds=50.0), bench_row(milliseconds=50.5, seed=1)
    assert agree(first, second)
    assert not agree(first, bench_row(milliseconds=60.0))


@pytest.mark.slow
def test_the_script_in_short(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    words = [
        "--runs",
        "2",
        "--rounds",
        "3",
        "--most-rounds",
        "3",
        "--frames",
        "2",
        "-o",
        str(tmp_path / "repeated.json"),
    ]
    outcome = CliRunner().invoke(main, words)
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit)
    result = json.loads((tmp_path / "repeated.json").read_text())
    assert list(result["medians_ms"]) == [
        "fcn32s fp32 onnxruntime 256x320",
        "fcn8s fp32 onnxruntime 256x320",
        "fcn8s-int8 int8 onnxruntime 256x320",
        "slowed fp32 onnxruntime 256x320",
    ]
    assert len(result["pairs"]) == 1
    assert (outcome.exit_code == 1) == bool(result["failed"])
