from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("av")

from benchmarks.streams.killed import ALLOWED, RESULTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_kills_runs(tmp_path: Path) -> None:
    output = tmp_path / "killed.json"
    words = ["--count", "1", "--others", "1", "--longest", "3", "-o", str(output)]
    subprocess.run([sys.executable, "-m", "benchmarks.streams.killed", *words], check=False, timeout=280, cwd=ROOT)
    result = json.loads(output.read_text())
    samples = result["samples"]
    assert result["most_lost_seconds"].keys() == {".mp4", ".mkv", ".mov", ".avi"}
    assert [sample["file"] for sample in samples] == ["0.mp4", "1.mkv", "2.mov", "3.avi"]
    for sample in samples:
        # a busy machine falls behind its source, which is not the video's fault
        assert sample["lost_of_run_seconds"] <= ALLOWED
        assert sample["decoded"] > 0


def test_the_committed_result_plays_up_to_two_seconds_before_the_kill() -> None:
    result = json.loads(RESULTS.read_text())
    suffixes = Counter(Path(sample["file"]).suffix for sample in result["samples"])
    assert suffixes == {".mp4": 10, ".mkv": 3, ".mov": 3, ".avi": 3}
    assert max(sample["lost_seconds"] for sample in result["samples"]) <= ALLOWED
    assert result["machine"]["cpu"]["instruction_set"]
