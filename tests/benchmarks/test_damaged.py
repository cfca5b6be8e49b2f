from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("av")

from benchmarks.streams.damaged import RESULTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_runs_over_every_kind_of_damage(tmp_path: Path) -> None:
    output = tmp_path / "damaged.json"
    words = [sys.executable, "-m", "benchmarks.streams.damaged", "--count", "10", "--streams", "10", "-o", str(output)]
    subprocess.run(words, check=True, capture_output=True, timeout=280, cwd=ROOT)
    result = json.loads(output.read_text())
    assert len({sample["kind"] for sample in result["samples"]}) == 10
    for ends in result["ends"].values():
        assert sum(ends.values()) == 10
    assert result["ends"].keys() == {"pyav", "opencv", "pipe", "http"}
    assert result["machine"]["cpu"]["instruction_set"]
    assert "av" in result["machine"]["software"]["packages"]


def test_the_committed_result_has_no_crash_and_no_hang() -> None:
    result = json.loads(RESULTS.read_text())
    assert {way: sum(ends.values()) for way, ends in result["ends"].items()} == {
        "pyav": 200,
        "opencv": 200,
        "pipe": 40,
        "http": 40,
    }
    for ends in result["ends"].values():
        assert ends.keys() <= {"frames", "one sentence", "frames, then one sentence"}
