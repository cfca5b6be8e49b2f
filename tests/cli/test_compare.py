"""``fcn-edge compare`` on made-up results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.bench.result import BenchResult, write_result
from tests.bench_results import bench_result, bench_row

Run = Callable[..., Any]


@pytest.fixture
def compare(fcn_edge: Run, tmp_path: Path) -> Run:
    def run(before: BenchResult, after: BenchResult, *options: str) -> Any:
        write_result(tmp_path / "a.json", before)
        write_result(tmp_path / "b.json", after)
        return fcn_edge("compare", tmp_path / "a.json", tmp_path / "b.json", *options)

    return run


def test_equal_runs_end_with_zero(compare: Run) -> None:
    result = bench_result(bench_row(), bench_row("fcn16s"))
    outcome = compare(result, result)
    assert (outcome.code, outcome.err) == (0, "")
    assert "No regression was found." in outcome.out
    assert "Rows: 2 unchanged." in outcome.out
    assert "The control shows no clear change: +0.0% (-" in outcome.out
    assert "no change" in outcome.out


def test_a_regression_ends_with_four_and_is_named(compare: Run) -> None:
    before = bench_result(bench_row(), bench_row("fcn16s"), bench_row("fcn32s", miou=0.65))
    after = bench_result(bench_row(milliseconds=60), bench_row("fcn16s"), bench_row("fcn32s", miou=0.6))
    outcome = compare(before, after)
    assert outcome.code == 4
    assert "takes 20.0% longer (+" in outcome.out
    assert "with 96% confidence" in outcome.out
    assert "Verdicts use wider intervals, for 3 rows together." in outcome.out
    assert "mIoU fell from 65.0% to 60.0%" in outcome.out
    assert outcome.err.startswith("Error: 2 rows are worse than before: first of all camvid-mobilenet_v2-fcn8s")
    lines = [line for line in outcome.out.splitlines() if line.startswith("camvid")]
    assert lines[0].endswith("slower"), "what changed most comes first"


def test_scripts_get_rows_and_regressions(compare: Run) -> None:
    outcome = compare(bench_result(bench_row()), bench_result(bench_row(milliseconds=60)), "--json")
    assert outcome.code == 4
    content = outcome.json
    (row,) = content["rows"]
    assert row["verdict"] == "slower"
    assert row["ratio"] == pytest.approx(1.2, abs=0.001)
    assert row["interval"][0] < row["ratio"] < row["interval"][1]
    assert row["confidence"] >= 0.95
    assert row["after_ms"] == pytest.approx(1.2 * row["before_ms"], abs=0.01)
    assert (row["miou_before"], row["miou_after"]) == (0.74, 0.74)
    assert [(one["name"], one["kind"]) for one in content["regressions"]] == [(row["name"], "time")]
    assert content["exit_code"] == 4
    assert content["error"].startswith("1 row is worse than before: ")


def test_improvements_and_what_changed_are_shown(compare: Run) -> None:
    before, after = bench_result(bench_row()), bench_result(bench_row(milliseconds=40))
    software = {"packages": {"fcn_edge": "0.2", "onnxruntime": "1.0"}, "python": "3.11.7"}
    after = after.model_copy(update={"machine": after.machine | {"software": software}})
    outcome = compare(before, after)
    assert outcome.code == 0
    assert "Changed: fcn_edge: 0.1 and 0.2" in outcome.out
    assert "20.0% less time" in outcome.out


def test_a_control_that_changed_is_told_and_divided_out(compare: Run) -> None:
    before = bench_result(bench_row(milliseconds=50))
    outcome = compare(before, bench_result(bench_row(milliseconds=60), control=12.0))
    assert outcome.code == 0
    assert "The control takes 20.0% longer" in outcome.out
    assert "the machine, or everything" in outcome.out
    outcome = compare(before, bench_result(bench_row(milliseconds=60), control=12.0), "--absolute")
    assert outcome.code == 4
    assert "Times are compared as they are." in outcome.out


def test_undecided_rows_say_why(compare: Run) -> None:
    after = bench_result(bench_row(milliseconds=80), unstable="It moved by 20%.")
    outcome = compare(bench_result(bench_row()), after, "--absolute")
    assert outcome.code == 0
    assert "undecided" in outcome.out
    assert "The second run is marked unstable: It moved by 20%." in outcome.out
    assert compare(bench_result(bench_row()), after).code == 4


def test_limits_are_the_users(compare: Run) -> None:
    before = bench_result(bench_row(miou=0.74))
    after = bench_result(bench_row(milliseconds=60, miou=0.7, memory_mb=300))
    allowed = ("--threshold", "0.3", "--max-drop", "0.05", "--max-class-drop", "0.05", "--max-memory-growth", "0.5")
    assert compare(before, after, *allowed).code == 0
    for option in range(0, len(allowed), 2):
        rest = allowed[:option] + allowed[option + 2 :]
        assert compare(before, after, *rest).code == 4, allowed[option]


def test_another_machine_is_refused_unless_asked_for(compare: Run) -> None:
    before, after = bench_result(bench_row()), bench_result(bench_row(), threads=4)
    outcome = compare(before, after)
    assert outcome.code == 2
    assert "threads: 2 and 4" in outcome.err
    outcome = compare(before, after, "--across-machines")
    assert outcome.code == 0
    assert "Not alike: threads: 2 and 4" in outcome.out


def test_names_with_control_characters_do_not_break_the_table(compare: Run) -> None:
    before = bench_result(bench_row(name="one\ntwo\x1b[2J"))
    after = bench_result(bench_row(name="one\ntwo\x1b[2J", milliseconds=60))
    outcome = compare(before, after)
    assert outcome.code == 4
    assert "\x1b" not in outcome.out + outcome.err
    assert "\ntwo" not in outcome.out + outcome.err
    assert "one\\ntwo\\x1b[2J: takes 20.0% longer" in outcome.err


def test_a_file_that_is_no_result_is_refused(fcn_edge: Run, tmp_path: Path) -> None:
    write_result(tmp_path / "a.json", bench_result(bench_row()))
    (tmp_path / "b.json").write_text("{}", encoding="utf-8")
    assert fcn_edge("compare", tmp_path / "a.json", tmp_path / "b.json").code == 3
    assert fcn_edge("compare", tmp_path / "a.json", tmp_path / "none.json").code == 3


def test_help(fcn_edge: Run) -> None:
    assert "Example: fcn-edge compare before.json after.json" in fcn_edge("compare", "--help").out
