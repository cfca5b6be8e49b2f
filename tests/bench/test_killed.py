"""A run that is killed at a random moment and resumed: the same table, and nothing measured twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.bench.result import BenchResult, read_result
from tests.tiny_network import TinyNetwork

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.system

SUITE = """
rounds = 4
most_rounds = 4
frames = 3
patience = 0
source = "synthetic://street?seed=3&size=48x64&frames=2&fps=1"
examples = ""
control = "{model}"
[[rows]]
models = ["{model}"]
backends = ["onnxruntime"]
sizes = ["64x96", "128x96"]
"""


def run(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fcn_edge", "bench", "mine.toml", "--work", "work", "--json-out", "result.json"]
    return subprocess.Popen([*command, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lines(folder: Path) -> list[Any]:
    journal = folder / "work" / "journal.jsonl"
    whole = journal.read_text().split("\n")[:-1] if journal.exists() else []
    return [json.loads(line) for line in whole]


def table(result: BenchResult) -> list[tuple[str, int]]:
    return [(row.name, len(row.end_to_end_ms.rounds)) for row in result.rows if row.end_to_end_ms is not None]


def test_killed_and_resumed(tiny: TinyNetwork, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SUITE.format(model=tiny.path))
    wanted = random.randrange(1, 12)
    process = run(tmp_path)
    while process.poll() is None and sum("kind" in line for line in lines(tmp_path)) < wanted:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = [line for line in lines(tmp_path) if "kind" in line]
    assert len(before) >= wanted
    assert not (tmp_path / "result.json").exists()

    assert run(tmp_path, "--resume").wait() == 0
    after = [line for line in lines(tmp_path) if "kind" in line]
    assert after[: len(before)] == before
    assert len({line["key"] for line in after}) == len(after) == 12
    result = read_result(tmp_path / "result.json")
    assert table(result) == [("tiny.onnx fp32 onnxruntime 64x96", 4), ("tiny.onnx fp32 onnxruntime 128x96", 4)]
    assert len(result.control.rounds) == 4
    assert result.resumed == 1
