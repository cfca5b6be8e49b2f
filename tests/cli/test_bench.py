"""``fcn-edge bench``: models and suites, in a few real processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.bench.result import read_result
from tests.tiny_network import TinyNetwork

pytest.importorskip("onnxruntime")

Run = Callable[..., Any]
SOURCE = "synthetic://street?seed=3&size=48x64&frames=2&fps=1"
QUICK = ("--rounds", 2, "--frames", 2, "--source", SOURCE, "--backend", "onnxruntime")
KEYS = {
    *("encoder", "decoder", "precision", "backend", "size", "network_ms", "end_to_end_ms"),
    *("fps", "miou", "memory_mb", "engine_mb"),
}


@pytest.fixture(autouse=True)
def _aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_EDGE_RUNS", str(tmp_path / "runs"))


@pytest.mark.usefixtures("quick_builds")
def test_a_model_is_measured_and_resumed(fcn_edge: Run, tiny: TinyNetwork, tmp_path: Path) -> None:
    command = ("bench", tiny.path, *QUICK, "--json-out", tmp_path / "result.json")
    outcome = fcn_edge(*command, "--json")
    assert outcome.code == 0, outcome.err
    row = outcome.json["rows"][0]
    assert set(row) >= KEYS
    assert set(row["end_to_end_ms"]) >= {"mean", "p50", "p90", "p95", "p99"}
    assert outcome.json["machine"]["cpu"]["instruction_set"]
    written = read_result(tmp_path / "result.json")
    assert written.rows[0].name == "tiny.onnx fp32 onnxruntime 64x96" == row["name"]
    assert row["fps"] == written.rows[0].throughput.fps  # type: ignore[union-attr]

    again = fcn_edge(*command, "--resume")
    assert again.code == 0
    assert f"{written.rows[0].end_to_end_ms.p50:.2f}" in again.out  # type: ignore[union-attr]
    resumed = read_result(tmp_path / "result.json")
    assert resumed.rows == written.rows
    assert (resumed.resumed, resumed.control) == (1, written.control)

    other = fcn_edge(*command, "--resume", "--frames", 3)
    assert other.code == 2
    assert "another suite" in other.err


def test_a_suite_names_its_own_models(fcn_edge: Run) -> None:
    outcome = fcn_edge("bench", "shipped", "camvid-mobilenet_v2-fcn8s")
    assert outcome.code == 2
    assert "Give one suite alone" in outcome.err
    assert fcn_edge("bench", "shipped", "--size", "64x96").code == 2


def test_a_name_that_is_neither_a_suite_nor_a_model(fcn_edge: Run) -> None:
    outcome = fcn_edge("bench", "shiped")
    assert outcome.code == 3
    assert "There is no suite and no model 'shiped'" in outcome.err
    assert "Shipped suites: cpu, demo, int8, shipped, tensorrt." in outcome.err
    assert "camvid-mobilenet_v2-fcn8s" in outcome.err


def test_what_is_missing_is_told_before_anything_is_measured(fcn_edge: Run, tiny: TinyNetwork, tmp_path: Path) -> None:
    assert fcn_edge("bench", "nothing.toml").code == 2
    assert fcn_edge("bench", tmp_path / "none.onnx").code == 3
    assert fcn_edge("bench", tiny.path, *QUICK, "--json-out", tmp_path / "none" / "result.json").code == 2
    assert fcn_edge("bench", tiny.path, *QUICK, "--data", tmp_path / "none").code == 3
    assert not (tmp_path / "runs" / "bench" / "models" / "engines").exists()


def test_no_report_goes_over_what_is_read_or_over_another(
    fcn_edge: Run, tiny: TinyNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcn_edge.bench.api.bench", lambda *_, **__: pytest.fail("something was measured"))
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/engine.json").write_text('{"model_digest": ""}')
    for options, said in (
        (["--json-out", str(tiny.path)], "would be replaced by the result"),
        (["--html", "one", "--markdown", "one"], "is the page and would be replaced by the report in Markdown"),
        (["--markdown", "/dev/stdout"], "a device"),
        (["--html", "one", "--plots", "one"], "is the folder of the plots and would be replaced by the page"),
        (["--plots", f"{tmp_path}/engine"], "lies in the engine"),
        (["--work", f"{tmp_path}/engine/work"], "lies in the engine"),
    ):
        done = fcn_edge("bench", tiny.path, *options)
        assert (done.code, said in done.err) == (2, True), done.err
