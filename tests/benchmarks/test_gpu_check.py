"""The GPU check as people run it, on a fake GPU whose kernels are their own source, compiled for the host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fcn_edge.backends.cuda.errors import no_driver
from fcn_edge.backends.cuda.providers import cuda_python, pycuda
from fcn_edge.errors import MachineError
from fcn_edge.system.cuda_driver import loaded_driver
from fcn_edge.testing.gpu import FakeKernel

from .conftest import BENCHMARKS, SMALL, Run

RunCheck = Callable[..., Run]
OUTPUTS = {"decode_fp32": 1, "decode_fp16": 1, "overlay": 5, "preprocess": 6}
"""Which argument of each kernel is the address that it writes to."""

KERNELS = ("--only", "agreement", "--only", "sessions")


def spoiled(kernel: FakeKernel, argument: int) -> FakeKernel:
    """A kernel that gets the first byte of what it writes wrong."""

    def wrong(memory: Any, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        kernel(memory, grid, block, arguments)
        memory.view(arguments[argument], np.uint8, 1)[0] ^= 64

    return wrong


def test_what_agrees_ends_with_0(run_gpu_check: RunCheck, tmp_path: Path) -> None:
    output = tmp_path / "out" / "results.jsonl"
    output.parent.mkdir()
    output.write_text("{}\n")  # of an earlier run
    but_torch = [name for name in import_module("gpu.checks").CHECKS if name not in ("network", "interop")]
    done = run_gpu_check("-o", str(output), *(word for name in but_torch for word in ("--only", name)))
    assert done.exit_code == 0, done.stderr
    assert "Nothing disagrees." in done.stderr
    assert [json.loads(line) for line in output.read_text().splitlines()] == [{}, *done.lines]
    assert [line["check"] for line in done.lines] == ["machine", *but_torch, "provider", "summary"]

    machine, summary = done.lines[0], done.lines[-1]
    assert machine["gpu"] == "Fake GPU"
    assert machine["machine"]["software"]["packages"]["numpy"] == np.__version__
    assert (machine["settings"]["size"], machine["settings"]["batch"]) == ([64, 96], 2)
    assert machine["frames"] == "2 of rendered streets"
    assert summary["failures"] == []
    assert set(summary["verdicts"].values()) == {"agrees", "absent"}
    assert [line["provider"] for line in done.lines[1:-1]] == ["cuda-python"] * len(but_torch) + ["pycuda"]
    assert done.rows("provider")[0].keys() == {"absent"}

    assert done.rows("compile")[0]["gpu"]["multiprocessors"] == 16
    kernels = {row["kernel"]: row for row in done.rows("agreement") if "cases" in row}
    assert kernels.keys() == {"decode float32", "decode float16", "overlay", "preprocess"}
    for row in kernels.values():
        assert row["cases"] == row["agreeing"] > 0
        assert row["unlike_emulated"] == row["not_emulated"] == 0
    assert len([row for row in done.rows("agreement") if "among noise" in row.get("input", "")]) == 6

    copy, *rows = done.rows("speed")
    assert copy["bytes_per_s"] > 0
    assert all(row["us_a_frame"] > 0 and row["bytes_per_s"] > 0 and row["times_copy"] > 0 for row in rows)
    assert not [row for row in rows if "expected_times_copy" in row]  # so small a batch says nothing
    assert all(row["launches_in_a_graph"] for row in rows if row["kernel"] in ("overlay", "preprocess"))

    timed = [row for row in done.rows("sessions") if "gpu_ms" in row]
    assert [(row["graph"], row["wrong_pixels"]) for row in timed] == [(True, 0), (False, 0)]
    for row in timed:
        assert row["gpu_ms"].pop("enqueue") > 0
        # the fake takes a microsecond a step: a copy and its event; the kernels, the network, the flag
        assert row["gpu_ms"] == {"host_to_device": 0.002, "compute": 0.007, "device_to_host": 0.002}
    assert done.stderr.count("ms a frame (H2D 0.002, compute 0.007, D2H 0.002, enqueue ") == 2
    assert done.rows("threads")[0]["captures"] == 4
    assert done.rows("leaks")[0]["gpu_bytes_lost"] == 0
    ahead = [row for row in done.rows("gaps") if "idle_us" in row]
    assert [(row["graph"], row["frames_ahead"]) for row in ahead] == [(True, 0), (True, 1), (False, 0), (False, 1)]
    assert [row["backend"] for row in done.rows("engines")] == ["tensorrt", "tensorrt-rtx", "onnxruntime-cuda"]
    assert all(row["absent"] for row in done.rows("engines"))


@pytest.mark.parametrize("entry", OUTPUTS)
def test_a_wrong_kernel_ends_with_4(run_gpu_check: RunCheck, gpu_kernels: dict[str, FakeKernel], entry: str) -> None:
    done = run_gpu_check(*KERNELS, **{entry: spoiled(gpu_kernels[entry], OUTPUTS[entry])})
    assert done.exit_code == 4
    named = {"decode_fp32": "decode float32", "decode_fp16": "decode float16"}.get(entry, entry)
    failures = done.lines[-1]["failures"]
    assert any(failure.startswith(f"cuda-python, agreement: {named} disagrees on") for failure in failures)
    assert all(failure in done.stderr for failure in failures)
    assert f"Error: {len(failures)} of the checks' comparisons failed on Fake GPU." in done.stderr
    row = next(row for row in done.rows("agreement") if row.get("cases") and row["kernel"] == named)
    assert row["unlike_emulated"] == row["cases"] > row["agreeing"]
    sessions = any("A session is wrong" in failure for failure in failures)
    assert sessions == (entry == "decode_fp16")  # the scores that sessions decode here


def test_a_kernel_that_finds_no_nan_ends_with_4(run_gpu_check: RunCheck, gpu_kernels: dict[str, FakeKernel]) -> None:
    def blind(memory: Any, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        gpu_kernels["decode_fp16"](memory, grid, block, arguments)
        memory.view(arguments[2], np.int32, 1)[0] = 0

    done = run_gpu_check(*KERNELS, decode_fp16=blind)
    assert done.exit_code == 4
    assert "decode float16 does not find nan among noise." in done.stderr
    assert "A session is wrong: scores of NaN were not found." in done.stderr


def test_a_kernel_that_writes_between_the_rows_ends_with_4(
    run_gpu_check: RunCheck, gpu_kernels: dict[str, FakeKernel]
) -> None:
    def wide(memory: Any, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        gpu_kernels["decode_fp32"](memory, grid, block, arguments)
        memory.view(arguments[1], np.uint8, 1 + arguments[7])[arguments[7]] = 0

    done = run_gpu_check("--only", "agreement", decode_fp32=wide)
    assert done.exit_code == 4
    assert "bytes between the rows were written" in done.stderr


def test_a_gpu_that_fails_midway_ends_with_4_and_keeps_the_other_checks(run_gpu_check: RunCheck) -> None:
    done = run_gpu_check("--only", "speed", "--only", "compile", gpu={"total_bytes": 5_000})
    assert done.exit_code == 4
    assert [(line["check"], line["verdict"]) for line in done.lines[1:-2]] == [
        ("compile", "agrees"),
        ("speed", "disagrees"),
    ]
    assert done.rows("speed")[-1]["failed"].startswith("The GPU has no memory left")


def test_a_decoder_slower_than_expected_is_told_and_is_no_failure(
    run_gpu_check: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = import_module("gpu.speed")
    for name, value in {"JUDGED_AT": (64, 96), "LEAST_BATCH": 2, "EXPECTED_TIMES_COPY": (4e-9, 7e-9)}.items():
        monkeypatch.setattr(speed, name, value)
    done = run_gpu_check("--only", "speed")
    assert done.exit_code == 0
    (row,) = [row for row in done.rows("speed") if "expected_times_copy" in row]
    assert (row["as_expected"], row["input"]) == (
        False,
        "camvid-mobilenet_v2-fcn8s on rendered streets, widened to 19 classes",
    )
    assert "times a copy (expected: 4e-09 to 7e-09)" in done.stderr


def test_a_board_and_a_library_without_graphs_are_timed_without(run_gpu_check: RunCheck) -> None:
    gpu = {"has_graphs": False, "integrated": True}
    done = run_gpu_check("--only", "sessions", "--only", "speed", "--only", "integrated", gpu=gpu)
    assert done.exit_code == 0, done.stderr
    *_, absent, timed = done.rows("sessions")
    assert absent["absent"] == "fake cannot capture them."
    assert timed["graph"] is False
    assert (timed["gpu_ms"]["host_to_device"], timed["gpu_ms"]["device_to_host"]) == (0.002, None)
    assert "D2H none, enqueue " in done.stderr
    assert {row["launches_in_a_graph"] for row in done.rows("speed") if "launches_in_a_graph" in row} == {False}


def test_without_time_left_checks_are_skipped(run_gpu_check: RunCheck) -> None:
    done = run_gpu_check("--only", "compile", "--within", "1")
    assert done.exit_code == 0
    assert done.line("compile")["verdict"] == done.lines[-1]["verdicts"]["cuda-python, compile"] == "skipped"


def test_a_check_whose_process_ends_badly_keeps_its_rows_and_the_others(
    run_gpu_check: RunCheck, gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = import_module("gpu.children")
    outcomes = {
        "compile": children.Outcome([{"kernel": "decode", "agree": True}], "It was ended by SIGSEGV: bye", "bye"),
        "leaks": children.Outcome([{"agree": True}], "", ""),
    }
    asked = []

    def run_check(check: str, request: Any, limit_s: float) -> Any:
        asked.append((check, request.provider, request.alone, limit_s))
        return outcomes[check]

    monkeypatch.setattr(gpu_check, "run_check", run_check)
    done = run_gpu_check("--only", "compile", "--only", "leaks", "--within", "40", alone=True)
    assert done.exit_code == 4
    assert [(*one[:3], one[3] <= 40) for one in asked] == [
        ("compile", "cuda-python", True, True),
        ("leaks", "cuda-python", True, True),
    ]
    assert (done.line("compile")["verdict"], done.line("leaks")["verdict"]) == ("ended", "agrees")
    assert done.rows("compile") == [{"kernel": "decode", "agree": True}]
    assert done.lines[-1]["failures"] == ["cuda-python, compile: It was ended by SIGSEGV: bye"]


def test_engines_run_through_a_library_that_has_graphs(gpu_check: ModuleType) -> None:
    reached = import_module("gpu.providers").Reached
    missing = MachineError("It is not installed.")
    found = {"pycuda": reached(None, has_graphs=False), "cuda-python": reached(None, has_graphs=True)}
    assert gpu_check.for_engines(found) == "cuda-python"
    assert gpu_check.for_engines({**found, "cuda-python": missing}) == "pycuda"
    assert gpu_check.for_engines({**found, "pycuda": missing}) == "cuda-python"


def test_references_and_a_video_are_one_too_many(gpu_check: ModuleType, gpu_references: Path, tmp_path: Path) -> None:
    video = tmp_path / "drive.mp4"
    video.touch()
    words = [*SMALL, "--references", str(gpu_references), "--video", str(video)]
    done = CliRunner().invoke(gpu_check.main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: The references hold the frames of a video already.")


def test_no_gpu_ends_with_6(gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu(index: int) -> None:
        raise no_driver()

    monkeypatch.setattr(pycuda, "open_gpu", lambda index: None)
    monkeypatch.setattr(cuda_python, "open_gpu", no_gpu)
    for words, fix in (((), "Install NVIDIA's driver"), (("--provider", "pycuda"), "pip install 'fcn_edge[pycuda]'")):
        done = CliRunner().invoke(gpu_check.main, words)
        assert done.exit_code == 6
        assert fix in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""


@pytest.mark.skipif(not loaded_driver().problem, reason="this machine has an NVIDIA GPU")
def test_as_people_run_it_without_a_gpu() -> None:
    command = [sys.executable, BENCHMARKS / "gpu_check.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_told_before_the_first_check(
    gpu_check: ModuleType, gpu_references: Path, tmp_path: Path
) -> None:
    output = tmp_path / "a file" / "results.jsonl"
    output.parent.write_text("")
    done = CliRunner().invoke(gpu_check.main, [*SMALL, "--references", str(gpu_references), "-o", str(output)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {output} cannot be written: ")
