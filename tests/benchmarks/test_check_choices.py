from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "check_choices.py"
MODEL = "camvid-mobilenet_v2-fcn8s"


def run(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--model", MODEL, "--size", "64x96", "--images", "1", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, **how)


@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="no qemu-x86_64 (apt-get install qemu-user)")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the emulated processor runs this machine's libraries")
def test_a_choice_is_judged_on_the_same_scores_without_vnni(tmp_path: Path) -> None:
    output = tmp_path / "choices.json"
    done = run("--profile", "onnxruntime", "-o", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(output.read_text())
    row = result["models"][MODEL]["onnxruntime"]
    assert row["unfused"] == {"same_bits": True, "largest": 0.0, "labels": 0.0}
    here = result["machine"]["cpu"]["instruction_set"]
    assert row["fused"]["same_bits"] == (here not in ("amx", "avx512_vnni", "avx_vnni"))


def test_without_the_emulator_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = run(env={"PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 6
    assert "apt-get install qemu-user" in done.stderr
