from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "run_speed.py"


@pytest.mark.slow
def test_compares_all_ways_on_masks_that_are_equal(tiny: Any, tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    words = ["--model", tiny.path, "--size", "64x96", "--rounds", 2, "--frames", 3, "-o", output]
    subprocess.run([sys.executable, SCRIPT, *map(str, words)], check=True, capture_output=True, timeout=280)
    result = json.loads(output.read_text())
    assert result["help"]["seconds"] > 0
    assert result["machine"]["cpu"]["cores"] >= 1
    (at,) = result["sizes"]
    assert at["milliseconds"].keys() == {"bare", "run", "run with overlays", "usual way"}
    assert all(len(times) == 2 and min(times) > 0 for times in at["milliseconds"].values())
    assert at["ratios"].keys() == {"of bare", "times usual way"}
    assert at["agreement"]["usual way"]["network_size"] > 0.9999
