"""The GPU check where nothing is installed but what a data center's image has: from a checkout, with carried wheels.

``make .venv-bare/.bare`` makes that environment; NVIDIA's own bindings and compiler run there on a driver of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..backends.cuda.stub.driver_library import make_driver

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
BARE = ROOT / ".venv-bare"
CARD = "A card of the tests,9,0,132,0,512"
NOT_THERE = {"network", "interop", "provider"}
"""What needs torch, CuPy or pycuda."""

SANITIZER = """#!/bin/sh
tool=$2; shift 4
[ "$1" = --report-api-errors ] && shift 2
"$@" || exit
if [ $tool = racecheck ]; then
    echo "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)"
else
    echo "========= ERROR SUMMARY: 0 errors"
fi
"""
PROFILER = """#!/bin/sh
while [ "$1" != --metrics ]; do shift; done
shift 2
"$@" || exit
echo '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"'
echo '"0","decode_fp16","gpu__time_duration.sum","ns","1,500"'
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a bare machine: carried wheels, a driver, and NVIDIA's tools."""
    if not (BARE / ".bare").is_file():
        pytest.skip("no environment of a bare machine: make .venv-bare/.bare, which needs Python 3.12")
    site, tools, home, driver = (tmp_path_factory.mktemp(name) for name in ("site", "tools", "home", "driver"))
    wheels = sorted(map(str, (BARE / "wheels").glob("*.whl")))
    words = ("install", "-q", "--no-index", "--no-deps", "--no-compile", "--target", str(site), *wheels)
    subprocess.run([BARE / "bin" / "python", "-m", "pip", "--disable-pip-version-check", *words], check=True)
    for name, text in {"compute-sanitizer": SANITIZER, "ncu": PROFILER}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return {
        **make_driver(driver).environment("13.0", CARD),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{site}{os.pathsep}.",
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "error",
    }


def rows_of(lines: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    (line,) = [line for line in lines if line["check"] == check]
    rows: list[dict[str, Any]] = line["rows"]
    return rows


def test_every_check_runs_there(environment: dict[str, str], gpu_references: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.jsonl"
    words = ["--quick", "--size", "64x96", "--batch", "2", "--references", str(gpu_references), "-o", str(output)]
    command = [str(BARE / "bin" / "python"), "benchmarks/gpu_check.py", "--no-engines", "--within", "200", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert output.read_text() == done.stdout
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    verdicts = {line["check"]: line["verdict"] for line in lines[1:-1]}
    assert verdicts == {name: "absent" if name in NOT_THERE else "agrees" for name in verdicts}, done.stderr
    assert len(verdicts) == 14

    packages = lines[0]["machine"]["software"]["packages"]
    pinned = dict(line.split("==") for line in (ROOT / "requirements/bare-wheels.txt").read_text().split())
    assert packages["pydantic"] == pinned["pydantic"]
    assert not {"torch", "pycuda", "cupy", "av"} & packages.keys()

    facts, *kernels = rows_of(lines, "compile")
    assert facts["gpu"]["name"] == "A card of the tests"
    assert facts["library"].startswith("cuda-python 13.0.")
    assert {(row["elf_os_abi"], row["elf_abi_version"]) for row in kernels} == {(65, 8)}
    tallies = [row for row in rows_of(lines, "agreement") if "cases" in row]
    assert len(tallies) == 4
    assert all(row["cases"] == row["agreeing"] > 0 == row["unlike_emulated"] for row in tallies)

    assert [row["tool"] for row in rows_of(lines, "sanitizers")] == ["memcheck", "racecheck", "synccheck", "initcheck"]
    assert all(row["launches"] == 52 for row in rows_of(lines, "sanitizers"))
    (counted,) = rows_of(lines, "counters")
    assert (counted["kernel"], counted["ns"]) == ("decode_fp16", 1500.0)
    told = {row["failure"]: row for row in rows_of(lines, "failures")}
    assert "no memory left" in told["no memory left"]["said"]
    assert "a kernel went out of its memory" in told["a kernel out of its memory"]["first"]
    assert rows_of(lines, "leaks")[0]["gpu_bytes_lost"] == 0
