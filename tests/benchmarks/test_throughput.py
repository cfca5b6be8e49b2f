from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("av")

from benchmarks.streams.throughput import BARS, RESULTS, main


@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
def test_every_frame_is_processed_and_written(tiny: Any, tmp_path: Path) -> None:
    output = tmp_path / "results" / "throughput.json"
    words = ["--model", str(tiny.path), "--size", "64x96", "--precision", "fp32", "--rounds", "2", "--frames", "6"]
    done = CliRunner().invoke(main, [*words, "-o", str(output)])
    result = json.loads(output.read_text())
    assert result["machine"]["cpu"]["instruction_set"]
    [row] = result["rows"]
    assert [{key: sample[key] for key in ("frames", "written", "dropped")} for sample in row["samples"]["mp4"]] == [
        {"frames": 6, "written": 6, "dropped": 0}
    ] * 2
    # next to a network that takes a millisecond, the pipeline is what takes the time
    assert all("of bare" in failed for failed in result["failed"])
    assert done.exit_code == bool(result["failed"])
    assert row["of_bare"]["bare"] == 1
    # threads that live as shortly as here are not looked at
    for way, stage in {"bare": "infer", "null": "read and convert", "mp4": "overlay"}.items():
        assert stage in row["cpu_ms_by_stage"][way]


def test_the_committed_result_holds() -> None:
    result = json.loads(RESULTS.read_text())
    assert result["failed"] == []
    assert result["machine"]["cpu"]["instruction_set"]
    for row in result["rows"]:
        assert row["cpu_ms_by_stage"]["mp4"]["encode"] > 0
        for way in ("null", "mp4"):
            assert row["of_bare"][way] >= BARS[row["precision"], way]
            assert all(sample["written"] == result["frames"] for sample in row["samples"][way])
