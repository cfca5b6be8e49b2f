"""Engines in the GPU check: what stands in for TensorRT is held against the processor."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.builder import tuner
from fcn_edge.errors import DeviceError, FcnEdgeError, GuardError, MachineError
from fcn_edge.testing.engine import fake_spec
from fcn_edge.testing.gpu import FakeGpu

from ..conftest import Run

RunCheck = Callable[..., Run]


@pytest.fixture
def engines(gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with ONNX Runtime on the processor in place of the GPU's libraries."""
    module = import_module("gpu.engines")
    monkeypatch.setattr(module, "BACKENDS", ("onnxruntime",))
    monkeypatch.setattr(module, "PRECISIONS", ("fp32",))
    monkeypatch.setattr(tuner, "frames_to_time", lambda: [np.zeros((64, 96, 3), np.uint8)])
    return module


@pytest.mark.parametrize("likeness", [0.9, 1.1])
def test_engines_are_held_against_the_processor(
    run_gpu_check: RunCheck, engines: ModuleType, monkeypatch: pytest.MonkeyPatch, likeness: float
) -> None:
    monkeypatch.setattr(import_module("fcn_edge.evaluation.guard"), "LEAST_LIKENESS", likeness)
    done = run_gpu_check("--only", "engines")
    assert done.exit_code == (0 if likeness < 1 else 4), done.stderr
    (row,) = done.rows("engines")
    assert (row["backend"], row["precision"], row["size"], row["agree"]) == (
        "onnxruntime",
        "fp32",
        [64, 96],
        likeness < 1,
    )
    assert row["speed"].keys() == {"no graph"}
    assert row["speed"]["no graph"]["end_to_end_ms"] > 0
    assert row["gpu_ms"] == {"no graph": None}
    assert "of the pixels as fp32 has them" in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        DeviceError("TensorRT failed to run the network.", "Start the program again."),
        MachineError("The process that built the plan was ended by SIGSEGV."),
        GuardError("This library does int8 as fp16."),
    ],
)
def test_an_engine_that_fails_after_its_probe_ends_with_4(
    run_gpu_check: RunCheck, engines: ModuleType, monkeypatch: pytest.MonkeyPatch, error: FcnEdgeError
) -> None:
    def build_engine(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(engines, "build_engine", build_engine)
    done = run_gpu_check("--only", "engines")
    assert done.exit_code == 4, done.stderr
    failed = f"onnxruntime fp32: {error}"
    assert done.rows("engines") == [{"backend": "onnxruntime", "precision": "fp32", "failed": failed, "agree": False}]
    assert done.lines[-1]["failures"] == [f"cuda-python, engines: {failed}"]


def test_tensorrt_is_run_without_graphs_too(gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    engines, runtime = import_module("gpu.engines"), import_module("fcn_edge.backends.tensorrt.runtime.engine")
    asked: dict[str, Any] = {}

    def opened(*arguments: Any, **how: Any) -> None:
        asked.update(inspect.signature(real).bind(*arguments, **how).arguments)

    real = runtime.opened
    monkeypatch.setattr(runtime, "opened", opened)
    closed: list[Path] = []
    monkeypatch.setattr(engines, "open_engine", lambda path: SimpleNamespace(close=lambda: closed.append(path)))
    manifest = SimpleNamespace(backend="tensorrt-rtx", plan_file="model.plan", spec=fake_spec(), size=(64, 96))
    devices = iter(["first", "second"])
    given = []
    for _ in engines._opened(Path("engine"), manifest, lambda: next(devices)):
        given.append((asked["device"], asked["options"].graphs))
        assert (asked["plan"], asked["library"]) == (Path("engine/model.plan"), trt)
        assert (asked["backend"], asked["size"]) == ("tensorrt-rtx", (64, 96))
    assert given == [("first", True), ("second", False)]
    assert closed == [Path("engine")]


@pytest.fixture
def gpu_engines(engines: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines of stored scores on the fake GPU stand in for TensorRT's, with graphs and without."""
    stand_ins = import_module("gpu.stand_ins")

    def opened(directory: Path, manifest: Any, open_device: Callable[[], Any]) -> Any:
        size = manifest.size
        scores = np.zeros((1, len(manifest.spec.classes), size[0] // 8, size[1] // 8), np.float32)
        stand = stand_ins.stored(SimpleNamespace(spec=manifest.spec, size=size, scores=scores))
        for graphs in (True, False):
            yield stand_ins.StandInEngine(open_device(), stand, import_module("gpu.sessions").RunOptions(graphs=graphs))

    monkeypatch.setattr(engines, "_opened", opened)
    monkeypatch.setattr(import_module("fcn_edge.evaluation.guard"), "LEAST_LIKENESS", 0.0)


@pytest.mark.parametrize(("has_graphs", "kinds"), [(True, ["graph", "no graph"]), (False, ["no graph"])])
def test_engines_are_named_by_whether_their_frames_were_graphs(
    run_gpu_check: RunCheck, gpu_engines: None, has_graphs: bool, kinds: list[str]
) -> None:
    done = run_gpu_check("--only", "engines", gpu={"has_graphs": has_graphs})
    assert done.exit_code == 0, done.stderr
    (row,) = done.rows("engines")
    assert list(row["speed"]) == list(row["masks"]) == list(row["gpu_ms"]) == kinds
    assert done.stderr.count(" (H2D 0.00") == len(kinds)


def test_a_capture_that_fails_ends_with_4(
    run_gpu_check: RunCheck, gpu_engines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = FakeGpu.capture_end

    def capture_end(gpu: FakeGpu, stream: int) -> int:
        gpu.graph_destroy(end(gpu, stream))
        raise cuda_error("cuStreamEndCapture", "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED")

    monkeypatch.setattr(FakeGpu, "capture_end", capture_end)
    done = run_gpu_check("--only", "sessions", "--only", "engines")
    assert done.exit_code == 4, done.stderr
    reason = "The GPU failed in cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED."
    failures = done.lines[-1]["failures"]
    assert f"cuda-python, sessions: Frames are not captured into a graph: {reason}" in failures
    assert failures[-1] == f"cuda-python, engines: onnxruntime fp32: frames are not captured into a graph: {reason}"
    assert list(done.rows("engines")[0]["speed"]) == ["no graph"]
