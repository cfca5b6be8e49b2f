"""``fcn-edge choose`` on made-up results."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.bench.result import Row, write_result
from fcn_edge.cli.build import command as build
from tests.bench_results import bench_result, bench_row

Run = Callable[..., Any]

ROWS = (
    bench_row("fcn32s", "int8", milliseconds=25, miou=0.65),
    bench_row("fcn8s", "int8", milliseconds=40, miou=0.735),
    bench_row("fcn8s", "fp32", milliseconds=80, miou=0.745),
)


@pytest.fixture
def choose(fcn_edge: Run, tmp_path: Path) -> Run:
    def run(*options: str, rows: tuple[Row, ...] = ROWS) -> Any:
        write_result(tmp_path / "results.json", bench_result(*rows))
        return fcn_edge("choose", tmp_path / "results.json", *options)

    return run


def test_the_choice_and_its_command_are_printed(choose: Run) -> None:
    outcome = choose("--fps", "15", "--max-drop", "0.02")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(
        "camvid-mobilenet_v2-fcn8s: encoder mobilenet_v2, decoder fcn8s, int8, 512x1024, onnxruntime\n"
    )
    assert f"Build it with:\n    {ROWS[1].build}\n" in outcome.out
    assert "--fps 15" in outcome.out
    assert re.search(r"^limit +value$", outcome.out, re.MULTILINE)
    (line,) = [line for line in outcome.out.splitlines() if line.endswith("  chosen")]
    assert line.startswith(ROWS[1].name)


def test_its_command_is_one_that_build_understands(choose: Run) -> None:
    words = choose("--fps", "15", "--json").json["command"].split()
    assert words[:2] == ["fcn-edge", "build"]
    build.make_context("build", words[2:])


def test_scripts_get_what_they_rely_on(choose: Run) -> None:
    content = choose("--fps", "15", "--json").json
    assert content["model"] == "camvid-mobilenet_v2-fcn8s"
    assert (content["precision"], content["size"], content["meets"]) == ("int8", [512, 1024], True)


def test_limits_that_cannot_be_met_end_with_four_and_are_named(choose: Run) -> None:
    outcome = choose("--fps", "100")
    assert outcome.code == 4
    assert outcome.err.startswith("Error: --fps 100 cannot be met: the nearest is camvid-mobilenet_v2-fcn32s int8")
    content = choose("--fps", "30", "--max-drop", "0.02", "--json").json
    assert (content["meets"], content["model"], content["command"], content["exit_code"]) == (False, None, None, 4)
    assert "--fps 30 and --max-drop 0.02 cannot be met together" in content["error"]
    fps, miou = (one["nearest"] for one in content["limits"])
    assert 24 < fps < 26
    assert miou == 0.65


def test_a_missing_sensor_is_told(choose: Run) -> None:
    assert "This machine has no power sensor" in choose("--max-watts", "10").err


def test_without_limits_the_front_is_shown(choose: Run) -> None:
    outcome = choose()
    assert outcome.code == 0
    assert all(row.name in outcome.out for row in ROWS)
    assert "give a limit, such as --fps 15" in outcome.out
    assert choose("--json").json["meets"] is None


def test_an_engine_is_run_as_it_is(choose: Run) -> None:
    outcome = choose("--fps", "10", rows=(bench_row(build="", model="street"),))
    assert "    fcn-edge run ENGINE SOURCE\nENGINE is the directory street that was measured.\n" in outcome.out
    assert "--size" not in outcome.out
    assert "--backend" not in outcome.out


@pytest.mark.parametrize("options", [(), ("--fps", "10")])
def test_the_front_marks_what_is_not_steady_and_what_was_recorded(choose: Run, options: tuple[str, ...]) -> None:
    rows = (
        bench_row("fcn32s", milliseconds=25, miou=0.65, unstable="It was throttled."),
        bench_row("fcn16s", milliseconds=32, miou=0.71, state="recorded", problem="Recorded."),
        bench_row("fcn8s", milliseconds=40, miou=0.735),
    )
    lines = [
        line for line in choose(*options, rows=rows).out.splitlines() if line.startswith("camvid") and "fps" in line
    ]
    assert lines[0].endswith("65.0%  not steady")
    assert lines[1].endswith("71.0%    recorded")
    assert lines[2].endswith("chosen" if options else "73.5%")


def test_control_characters_of_a_foreign_result_are_escaped(choose: Run) -> None:
    bad = bench_row(name="one\ntwo\x1b[2J", model="one\ntwo\x1b[2J", backend="x\x1b", unstable="so\x1b[2J")
    for options in ((), ("--fps", "10"), ("--fps", "1000")):
        outcome = choose(*options, rows=(bad,))
        assert "\x1b" not in outcome.out + outcome.err
        assert "\ntwo" not in outcome.out + outcome.err
        assert "one\\ntwo\\x1b[2J" in outcome.out + outcome.err


def test_results_without_accuracy_have_no_front(choose: Run) -> None:
    outcome = choose("--fps", "10", rows=(bench_row(miou=None),))
    assert outcome.code == 0
    assert "there is no Pareto front" in outcome.out
    assert (
        "\n\nNo row that meets the limits has an accuracy: the one with the most throughput was chosen." in outcome.out
    )


@pytest.mark.parametrize("options", [("--fps", "0"), ("--max-drop", "2"), ("--min-miou", "-1"), ("--latency", "x")])
def test_limits_that_make_no_sense(choose: Run, options: tuple[str, str]) -> None:
    assert choose(*options).code == 2


def test_a_file_that_is_not_there(fcn_edge: Run, tmp_path: Path) -> None:
    assert fcn_edge("choose", tmp_path / "none.json", "--fps", "1").code == 3


def test_help(fcn_edge: Run) -> None:
    assert "Example: fcn-edge choose results.json --fps 15" in fcn_edge("choose", "--help").out
