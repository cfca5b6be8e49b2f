"""Faults that the sessions of the GPU check must find."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.base import GpuTimes
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.testing.gpu import FakeGpu

from ..conftest import Run

RunCheck = Callable[..., Run]


def test_a_graph_that_makes_another_mask(run_gpu_check: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = CudaSession.labels

    def spoiled(session: CudaSession, frame: Any) -> Any:
        mask = labels(session, frame)
        mask[0, 0] ^= session.graphs
        return mask

    monkeypatch.setattr(CudaSession, "labels", spoiled)
    done = run_gpu_check("--only", "sessions")
    assert done.exit_code == 4
    assert "cuda-python, sessions: A session is wrong: 4 of 4 masks are others with a graph." in done.stderr


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((2, 3, 4), ""),
        ((None, 3, None), ""),
        ((2, -3, 4), "a part of the frame ended before it began"),
        ((2, 1 << 50, 4), "the GPU's parts are"),
        ((0, 0, 0), "the GPU's parts are 0 ns"),
    ],
)
def test_events_that_are_out_of_order(gpu_check: ModuleType, parts: tuple[int | None, ...], found: str) -> None:
    gpu = GpuTimes(parts[0], parts[1] or 0, parts[2], 1)
    job = SimpleNamespace(timing=SimpleNamespace(gpu=gpu, preprocess=1, infer=1, decode=1))
    session = SimpleNamespace(preprocess=lambda frame: job, infer=lambda given: given, postprocess=lambda given: None)
    row = import_module("gpu.sessions").ordered(session, np.zeros((2, 2, 3), np.uint8))
    assert row["agree"] == (not found)
    assert found in row.get("failed", "")


def test_a_part_of_the_sessions_that_fails_leaves_the_others(
    run_gpu_check: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise cuda_error("cuStreamSynchronize", "CUDA_ERROR_UNKNOWN")

    monkeypatch.setattr(import_module("gpu.sessions"), "_echoed", fails)
    done = run_gpu_check("--only", "sessions")
    assert done.exit_code == 4
    assert done.lines[-1]["failures"] == [
        "cuda-python, sessions: The GPU failed in cuStreamSynchronize: CUDA_ERROR_UNKNOWN. Start the program again; "
        "fcn-edge doctor checks the GPU."
    ]
    assert len([row for row in done.rows("sessions") if row["agree"]]) == 4


def test_memory_that_is_not_given_back(run_gpu_check: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([1 << 30, (1 << 30) - (5 << 20)])
    monkeypatch.setattr(Device, "free_bytes", lambda device: next(told))
    done = run_gpu_check("--only", "leaks")
    assert done.exit_code == 4
    assert "cuda-python, leaks: 2 engines leave 5242880 bytes of the GPU behind." in done.stderr


def test_a_gpu_that_never_runs_out_of_memory(run_gpu_check: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("gpu.resilience"), "_MOST_SLOTS", 2)
    monkeypatch.setattr(import_module("gpu.resilience"), "_take_all", lambda *_: None)
    done = run_gpu_check("--only", "failures")
    assert done.exit_code == 4
    assert "A GPU without memory is told as: nothing" in done.stderr


def test_a_neighbor_that_fails(run_gpu_check: RunCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_rows(gpu: FakeGpu, *_: int) -> None:
        raise cuda_error("cuMemcpy2DAsync", "CUDA_ERROR_INVALID_VALUE")

    threads = import_module("gpu.threads")
    run = threads._Neighbor.run

    def failing(neighbor: Any) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(neighbor._device._driver, "copy_rows", copy_rows.__get__(neighbor._device._driver))
            run(neighbor)

    monkeypatch.setattr(threads._Neighbor, "run", failing)
    done = run_gpu_check("--only", "threads")
    assert done.exit_code == 4
    assert "With another thread at work, the neighbor fails: The GPU failed in cuMemcpy2DAsync" in done.stderr
