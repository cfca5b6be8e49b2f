"""A row of one round in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.bench.measured import Request, WorkerError, error_of, failure_of, measured_in_process
from fcn_edge.errors import EngineError, FcnEdgeError, MachineError, MissingExtraError, ModelError
from tests.tiny_network import TinyNetwork
from tests.waits import until

pytest.importorskip("onnxruntime")


@pytest.fixture
def request_of(tiny: TinyNetwork, tmp_path: Path) -> Request:
    np.save(tmp_path / "frames.npy", np.full((2, 48, 64, 3), 90, np.uint8))
    return Request(str(tiny.path), str(tmp_path / "frames.npy"), count=5, warm_up=1, ends="mask", threads=1)


def test_a_row(request_of: Request) -> None:
    measured = measured_in_process(request_of)
    assert measured.backend == "onnxruntime"
    assert len(measured.whole_ns) == 5
    for index, whole in enumerate(measured.whole_ns):
        parts = [times[index] for times in measured.stages_ns.values()]
        assert all(part > 0 for part in parts)
        assert sum(parts) <= whole
    assert measured.fps is not None
    assert measured.fps > 0
    assert measured.memory_bytes is not None
    assert measured.memory_bytes > 10e6
    assert measured.load_ns > 0
    assert measured.processed == 5
    assert measured.telemetry["seconds"] * 1e9 >= sum(measured.whole_ns)
    assert measured.gpu_ns == {}


def test_what_ends_in_scores_has_no_pipeline_and_no_decoding(request_of: Request) -> None:
    measured = measured_in_process(replace(request_of, ends="scores"))
    assert measured.fps is None
    stages = measured.stages_ns
    for whole, *parts in zip(measured.whole_ns, stages["preprocess"], stages["infer"], strict=True):
        assert whole >= sum(parts)
    assert set(stages) == {"preprocess", "infer"}


@pytest.mark.system
def test_memory_is_the_row_s_and_not_that_of_its_frames(request_of: Request, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.full((40, 720, 1280, 3), 90, np.uint8))
    few = measured_in_process(request_of).memory_bytes
    many = measured_in_process(replace(request_of, frames=str(tmp_path / "many.npy"))).memory_bytes
    assert few is not None
    assert many is not None
    assert abs(many - few) < 15e6  # frames of 720p pass through it, 110 MB of them lie in the file


@pytest.mark.system
def test_what_lies_in_the_current_folder_is_not_imported(
    request_of: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pydantic.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert measured_in_process(request_of).backend == "onnxruntime"


def test_its_error_is_ours(request_of: Request, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model") as caught:
        measured_in_process(replace(request_of, model=str(tmp_path / "none.onnx")))
    assert "Shipped models" in caught.value.fix


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by signal 9"),
        ("raise SystemExit(3)", "crashed"),
        ("print('no JSON')", "crashed"),
    ],
)
def test_one_that_dies(
    request_of: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    (tmp_path / "dying_worker.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WorkerError, match=said):
        measured_in_process(request_of, "dying_worker")


@pytest.mark.system
def test_it_ends_with_a_parent_that_is_killed(request_of: Request, tmp_path: Path) -> None:
    slow = replace(request_of, count=100_000_000)
    program = textwrap.dedent(f"""
        import os, signal, subprocess, sys, json, time
        child = subprocess.Popen(
            [sys.executable, "-c", "from fcn_edge.bench.worker import main; main()", str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        child.stdin.write({json.dumps(asdict(slow))!r}.encode()); child.stdin.close()
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    child = int(parent.stdout)
    until(lambda: not Path(f"/proc/{child}").exists())


@pytest.mark.parametrize("kind", [ModelError, EngineError, MachineError, WorkerError, FcnEdgeError])
def test_errors_pass_between_processes(kind: type[FcnEdgeError]) -> None:
    error = error_of(failure_of(kind("It breaks.", "Mend it.")))
    assert (type(error), error.message, error.fix) == (kind, "It breaks.", "Mend it.")


def test_also_those_that_are_made_differently() -> None:
    missing = MissingExtraError("onnx", "convert", "Calibration")
    again = error_of(failure_of(missing))
    assert (type(again), again.message, again.fix, again.exit_code) == (
        MissingExtraError,
        missing.message,
        missing.fix,
        6,
    )
