from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.streams.batch import RESULTS, main


@pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")
def test_compares_both_engines_on_the_same_masks(tiny: Any, tmp_path: Path) -> None:
    output = tmp_path / "results" / "batch.json"
    words = ["--model", tiny.path, "--size", "64x96", "--backend", "onnxruntime", "--precision", "fp32"]
    done = CliRunner().invoke(main, [*map(str, words), "--rounds", "2", "--frames", "3", "-o", str(output)])
    assert done.exit_code == 0, done.output
    result = json.loads(output.read_text())
    assert result["machine"]["cpu"]["instruction_set"]
    assert result["machine"]["software"]["packages"]["onnxruntime"]
    files, cameras = result["rows"]
    assert (files["sources"], cameras["sources"]) == ("files", "cameras")
    for row in (files, cameras):
        assert row["same_pixels"] > 0.9999
        assert row["times_batch_1"] > 0
        for samples in row["samples"].values():
            assert len(samples) == 2
            assert all(sum(one["frames"]) == 12 and one["fps"] > 0 for one in samples)
    assert all(one["frames"] == [3] * 4 for samples in files["samples"].values() for one in samples)


def test_the_committed_result_is_of_equal_masks_on_four_sources() -> None:
    result = json.loads(RESULTS.read_text())
    assert result["machine"]["cpu"]["instruction_set"]
    assert len(result["rows"]) == 16
    for row in result["rows"]:
        assert row["same_pixels"] == 1
        assert all(len(samples) == result["rounds"] for samples in row["samples"].values())
