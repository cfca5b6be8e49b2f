from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("av")

from benchmarks.streams.several import RESULTS, SOURCES, main


@pytest.mark.slow
@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
def test_shares_one_engine_among_four_sources(tiny: Any, tmp_path: Path) -> None:
    output = tmp_path / "results" / "several.json"
    words = ["--model", str(tiny.path), "--size", "64x96", "--precision", "fp32"]
    words += ["--rounds", "1", "--frames", "20", "--cycles", "20"]
    done = CliRunner().invoke(main, [*words, "-o", str(output)])
    result = json.loads(output.read_text())
    assert done.exit_code == bool(result["failed"])
    for kind in ("files", "cameras"):
        [sample] = result[f"{kind}: fair"]["samples"]["all"]
        assert len(sample["fps"]) == SOURCES
        [sample] = result[f"{kind}: one dies"]["samples"]
        assert list(sample["states"].values()).count("lost") == 1
        assert len(sample["times_before"]) == SOURCES - 1
    assert result["changes"]["cycles"] == 20


def test_the_committed_result_holds() -> None:
    result = json.loads(RESULTS.read_text())
    assert result["failed"] == []
    assert result["changes"]["cycles"] == 1000
    assert result["machine"]["cpu"]["instruction_set"]
