from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("av")

from benchmarks.streams.lossy import missing
from benchmarks.streams.outages import RESULTS, main

from ..servers.rtsp import needs_gstreamer

TIMES = {"slowest return, s", "frames that a copy lacks", "outages told otherwise"}
"""What a busy machine does not hold."""


@pytest.mark.system
@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
class TestOutages:
    def test_of_a_killed_and_a_stopped_camera(self, tiny: Any, tmp_path: Path) -> None:
        needs_gstreamer()
        result = measured(tiny, tmp_path, "--kills", "2", "--stops", "1", "--copies", "1", "--loss", "0")["tcp"]
        assert set(result["failed"]) <= TIMES, result["checks"]
        assert sorted(outage["kind"] for outage in result["outages"]) == ["kill", "kill", "stop"]
        for outage in result["outages"]:
            assert outage["flows_after_s"] > 0
            assert ("lost " if outage["kind"] == "kill" else "stalled ") in outage["told"]
            assert outage["told"].endswith("live ")
        assert result["video"]["frames"] > result["copies"][0]["frames"] > 0

    def test_of_a_camera_whose_packets_are_lost(self, tiny: Any, tmp_path: Path) -> None:
        needs_gstreamer()
        if missing():
            pytest.skip(missing())
        result = measured(tiny, tmp_path, "--kills", "0", "--stops", "0", "--copies", "0", "--lossy-outages", "1")
        assert set(result["lossy"]["failed"]) <= TIMES, result["lossy"]["checks"]
        assert result["lossy"]["packets_dropped"] > 0
        assert result["lossy"]["frames"] > 0


def measured(tiny: Any, folder: Path, *more: str) -> dict[str, Any]:
    network = ["--model", str(tiny.path), "--backend", "onnxruntime", "--precision", "fp32", "--size", "64x96"]
    done = CliRunner().invoke(main, [*network, *more, "--camera", "240x320", "-o", str(folder / "outages.json")])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    result: dict[str, Any] = json.loads((folder / "outages.json").read_text())
    return result


def test_the_committed_result_holds() -> None:
    result = json.loads(RESULTS.read_text())
    assert result["failed"] == result["tcp"]["failed"] == result["lossy"]["failed"] == []
    assert result["machine"]["cpu"]["instruction_set"]
    kinds = [outage["kind"] for outage in result["tcp"]["outages"]]
    assert (kinds.count("kill"), kinds.count("stop")) == (20, 5)
    assert max(outage["flows_after_s"] for outage in result["tcp"]["outages"] + result["lossy"]["outages"]) < 3
    assert result["lossy"]["packets_dropped"] > 0
