from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("av")

from benchmarks.streams.soak import RESULTS, main

from ..servers.rtsp import needs_gstreamer

TIMES = {"median age, ms", "camera's time off the log, ms", "growth of the age while slow, ms"}
"""What a busy machine does not hold."""


@pytest.mark.system
@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
def test_watches_a_camera(tiny: Any, tmp_path: Path) -> None:
    needs_gstreamer()
    output = tmp_path / "soak.json"
    network = ["--model", tiny.path, "--backend", "onnxruntime", "--precision", "fp32", "--size", "64x96"]
    times = ["--minutes", "0.15", "--slow-minutes", "0.1", "--settle", "4"]
    done = CliRunner().invoke(main, [*map(str, network), *times, "--camera", "240x320", "-o", str(output)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    result = json.loads(output.read_text())
    assert set(result["failed"]) <= TIMES, result["checks"]
    assert result["machine"]["cpu"]["instruction_set"]
    assert result["machine"]["software"]["packages"]["av"]
    assert len(result["ages_ms"]) == result["frames"] > 100
    assert len(result["camera_time_errors_ms"]) > 0
    assert 0 < result["slow"]["frames"] < result["slow"]["of"]
    assert len(result["resident_mib"]) == len(result["threads"]) == len(result["descriptors"]) >= 4


def test_the_committed_result_holds() -> None:
    result = json.loads(RESULTS.read_text())
    assert result["failed"] == []
    assert all(check["holds"] for check in result["checks"].values())
    assert result["machine"]["cpu"]["instruction_set"]
    assert (result["minutes"], result["frames"], result["dropped"]) == (10.0, len(result["ages_ms"]), 0)
    ages = sorted(result["ages_ms"])
    assert ages[len(ages) // 2] == pytest.approx(result["checks"]["median age, ms"]["value"], abs=0.2)
