"""A suite from its file to its result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.engine_manifest import read_manifest, write_manifest
from fcn_edge.bench.api import Watch, bench
from fcn_edge.bench.measured import Measured, Request
from fcn_edge.bench.result import BenchResult, read_result, write_result
from fcn_edge.bench.suite import Suite
from fcn_edge.errors import MachineError, ModelError, SourceError, UsageError
from fcn_edge.io.images import write_png
from fcn_edge.system.telemetry import Telemetry
from tests.tiny_network import TinyNetwork

pytest.importorskip("onnxruntime")

SOURCE = "synthetic://street?seed=3&size=48x64&frames=3&fps=1"
DATA = "synthetic://street?seed=5&size=64x96&frames=2&fps=1"


def stand(request: Request) -> Measured:
    """Measures at once: a row takes 10 ms, the control 5."""
    whole = [5_000_000 if request.size else 10_000_000] * request.count
    stages = {"preprocess": [1000] * request.count, "infer": whole, "decode": [2000] * request.count}
    fps = None if request.ends == "scores" else 80.0
    power = Telemetry(seconds=2.0, watts=5.0, joules=10.0, power_source="INA3221 VDD_IN", steal=0.25).to_json()
    return Measured("onnxruntime", 10**8, whole, stages, {}, fps, 10**8, power, request.count)


@pytest.fixture
def suite_of(tiny: TinyNetwork) -> Callable[..., Suite]:
    def suite_of(**changes: Any) -> Suite:
        content: dict[str, Any] = {
            "title": "Tiny",
            "rounds": 3,
            "most_rounds": 3,
            "frames": 4,
            "source": SOURCE,
            "distinct": 2,
            "control": str(tiny.path),
            "rows": [{"models": [str(tiny.path)], "backends": ["onnxruntime"], "sizes": ["64x96", "128x96"]}],
        }
        return Suite.model_validate({**content, **changes})

    return suite_of


def test_a_result(suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any) -> None:
    told: list[str] = []
    measuring: list[tuple[int, int]] = []
    watch = Watch(told.append, None, lambda done, total: measuring.append((done, total)))
    result = bench(suite_of(data=DATA), "tiny", folder=tmp_path / "run", watch=watch, measure=stand)
    assert (result.suite, result.title, result.rounds, result.frames_per_round) == ("tiny", "Tiny", 3, 4)
    assert [row.name for row in result.rows] == [
        "tiny.onnx fp32 onnxruntime 64x96",
        "tiny.onnx fp32 onnxruntime 128x96",
    ]
    row = result.rows[0]
    assert row.end_to_end_ms is not None
    assert row.end_to_end_ms.rounds == (10.0,) * 3
    assert (row.frame_size, row.decoder, row.stride) == ((48, 64), "fcn8s", 8)
    assert row.throughput is not None
    assert row.throughput.fps == 80
    assert row.power is not None
    assert (row.power.watts, row.power.joules_per_frame, row.power.source) == (5.0, 2.5, "INA3221 VDD_IN")
    assert row.power.steal == 0.25
    assert (row.memory_mb, row.load_seconds) == (100.0, 0.1)
    assert row.accuracy is not None
    assert (row.accuracy.images, row.of_fp32) == (2, 1.0)
    assert row.build.endswith("--backend onnxruntime --precision fp32 --size 64x96")
    assert result.control.rounds == (5.0,) * 3
    assert (result.unstable, row.unstable) == ("", "")
    assert measuring == [(done, 9) for done in range(1, 10)]
    assert any("Scoring" in line for line in told)
    write_result(tmp_path / "result.json", result)
    assert read_result(tmp_path / "result.json") == result


def test_macs_are_those_of_the_graph(suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any) -> None:
    pytest.importorskip("onnx")
    result = bench(suite_of(), folder=tmp_path, measure=stand)
    classes = 11
    # one convolution of 8x8x3 with stride 8
    assert result.rows[0].gmacs == pytest.approx(64 / 8 * 96 / 8 * 8 * 8 * 3 * classes / 1e9, abs=1e-4)


def test_what_this_machine_cannot_is_absent_and_what_breaks_has_failed(
    suite_of: Callable[..., Suite], tiny: TinyNetwork, tmp_path: Path, quick_builds: Any
) -> None:
    def breaking(request: Request) -> Measured:
        if request.ends == "scores" and not request.size:
            raise ModelError("It breaks.", "Mend it.")
        return stand(request)

    rows = [
        {"models": [str(tiny.path)], "backends": ["onnxruntime", "tensorrt"]},
        {"models": [str(tiny.path)], "backends": ["onnxruntime"], "ends": "scores"},
    ]
    result = bench(suite_of(rows=rows), folder=tmp_path, measure=breaking)
    assert [row.state for row in result.rows] == ["measured", "absent", "failed"]
    assert result.rows[1].problem
    assert result.rows[1].accuracy is None
    assert (result.rows[2].problem, result.rows[2].fix) == ("It breaks.", "Mend it.")


def test_a_run_that_can_measure_nothing_says_why(
    suite_of: Callable[..., Suite], tiny: TinyNetwork, tmp_path: Path, quick_builds: Any
) -> None:
    rows = [{"models": [str(tiny.path)], "backends": ["tensorrt"]}]
    with pytest.raises(MachineError):
        bench(suite_of(rows=rows), folder=tmp_path, measure=stand)


def test_one_engine_that_cannot_be_opened_spoils_no_other(
    suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any
) -> None:
    bench(suite_of(), folder=tmp_path, measure=stand)
    good, old = sorted((tmp_path / "engines").iterdir())
    manifest = read_manifest(old)
    write_manifest(old, manifest.model_copy(update={"library": "0.1"}))
    rows = [{"models": [str(good), str(old)]}]
    result = bench(suite_of(rows=rows, data=DATA), folder=tmp_path / "two", measure=stand)
    assert [row.state for row in result.rows] == ["measured", "failed"]
    assert "built with onnxruntime 0.1" in result.rows[1].problem


def test_what_changed_since_is_not_gone_on_with(
    suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    write_png(folder / "0.png", np.zeros((48, 64, 3), np.uint8))
    bench(suite_of(source=str(folder)), folder=tmp_path / "run", measure=stand)
    bench(suite_of(source=str(folder)), folder=tmp_path / "run", resume=True, measure=stand)
    write_png(folder / "0.png", np.ones((48, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="another frames"):
        bench(suite_of(source=str(folder)), folder=tmp_path / "run", resume=True, measure=stand)
    write_png(folder / "0.png", np.zeros((48, 64, 3), np.uint8))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with pytest.raises(UsageError, match="another environment"):
        bench(suite_of(source=str(folder)), folder=tmp_path / "run", resume=True, measure=stand)


def test_a_run_that_is_begun_anew_keeps_the_one_before(
    suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any
) -> None:
    bench(suite_of(), folder=tmp_path, measure=stand)
    before = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(SourceError):
        bench(suite_of(source=str(tmp_path / "none.mp4")), folder=tmp_path, measure=stand)
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    bench(suite_of(), folder=tmp_path, measure=stand)
    assert (tmp_path / "journal.old.jsonl").read_bytes() == before


@pytest.mark.parametrize(("rounds", "word"), [(1, "One round says"), (2, "Two rounds say"), (3, "")])
def test_few_rounds_are_never_steady(
    suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any, rounds: int, word: str
) -> None:
    result = bench(suite_of(rounds=rounds, most_rounds=rounds), folder=tmp_path, measure=stand)
    assert all(row.unstable.startswith(word) and bool(row.unstable) == bool(word) for row in result.rows)


def test_a_machine_that_was_not_steady(suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any) -> None:
    turns = {"row": 0, "control": 0}

    def drifting(request: Request) -> Measured:
        found = stand(request)
        name = "control" if request.size else "row"
        turns[name] += 1
        slow = 1.2 if name == "control" and turns[name] == 2 else 1.0
        return Measured(**{**found.to_json(), "whole_ns": [round(slow * time) for time in found.whole_ns]})

    result = bench(suite_of(patience=0.0), folder=tmp_path / "one", measure=drifting)
    assert result.control.moved == pytest.approx(0.2)
    assert "5.00 to 6.00 ms (20% apart, 8% allowed)" in result.unstable
    assert all(row.state == "measured" for row in result.rows)

    turns.update(row=0, control=0)
    told: list[str] = []
    waited = bench(suite_of(), folder=tmp_path / "other", measure=drifting, watch=Watch(told.append))
    assert (waited.unstable, waited.control.moved, waited.control.waits) == ("", 0.0, (6.0,))
    assert sum("waiting" in line for line in told) == 1


def test_a_row_that_was_not_steady(suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any) -> None:
    turns: list[int] = []

    def scattering(request: Request) -> Measured:
        found = stand(request)
        if request.size:
            return found
        turns.append(1)
        return Measured(**{**found.to_json(), "whole_ns": [time + len(turns) * 10**6 for time in found.whole_ns]})

    result = bench(suite_of(), folder=tmp_path, measure=scattering)
    assert result.unstable == ""
    assert all(row.unstable.startswith("After 3 rounds its 75% interval is") for row in result.rows)


def test_rows_of_earlier_results_stand_in(
    suite_of: Callable[..., Suite], tiny: TinyNetwork, tmp_path: Path, quick_builds: Any
) -> None:
    before = bench(suite_of(), folder=tmp_path, measure=stand)
    write_result(tmp_path / "before.json", before)
    rows = [{"models": [str(tiny.path)], "backends": ["onnxruntime"], "sizes": ["64x96"]}]
    result = bench(suite_of(rows=rows, recorded=[str(tmp_path / "before.json")]), folder=tmp_path, measure=stand)
    assert [(row.name, row.state) for row in result.rows] == [
        ("tiny.onnx fp32 onnxruntime 64x96", "measured"),
        ("tiny.onnx fp32 onnxruntime 128x96", "recorded"),
    ]
    assert "before.json" in result.rows[1].problem
    assert before.started[:10] in result.rows[1].problem


def test_an_engine_is_measured_as_it_was_built(
    suite_of: Callable[..., Suite], tmp_path: Path, quick_builds: Any
) -> None:
    bench(suite_of(), folder=tmp_path, measure=stand)
    engine = next((tmp_path / "engines").iterdir())
    result: BenchResult = bench(suite_of(rows=[{"models": [str(engine)]}]), folder=tmp_path / "two", measure=stand)
    assert result.rows[0].model == engine.name
    assert (result.rows[0].build, result.rows[0].build_seconds) == ("", None)


def test_a_row_for_another_machine_is_scored_by_the_graph_that_would_be_compiled(
    suite_of: Callable[..., Suite], tiny: TinyNetwork, tmp_path: Path, quick_builds: Any
) -> None:
    pytest.importorskip("onnx")
    rows = [{"models": [str(tiny.path)], "backends": ["onnxruntime", "tensorrt"]}]
    result = bench(suite_of(rows=rows, data=DATA), folder=tmp_path, measure=stand)
    here, elsewhere = result.rows
    assert (here.state, elsewhere.state) == ("measured", "absent")
    assert here.accuracy is not None
    assert elsewhere.accuracy is not None
    assert elsewhere.accuracy.miou == pytest.approx(here.accuracy.miou, abs=1e-3)
    assert elsewhere.of_fp32 is not None
    assert not list((tmp_path / "engines").glob("*.onnx"))
