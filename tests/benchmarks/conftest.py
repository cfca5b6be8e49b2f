"""The GPU check on a fake GPU whose kernels are their own source, compiled for the host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from fcn_edge.backends.cuda.providers import cuda_python, pycuda
from fcn_edge.testing.gpu import FakeGpu, FakeKernel

from ..backends.cuda.rig import emulated_kernels

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = ("--size", "64x96", "--batch", "2", "--quick")
QUICKLY = {
    "repeats": 2,
    "warm_up_s": 0.0,
    "streets": 2,
    "seconds": 0.02,
    "frames": 4,
    "rounds": 8,
    "fills": 2,
    "quick": True,
}


@dataclass(frozen=True)
class Run:
    """What the script did."""

    exit_code: int
    stderr: str
    lines: list[dict[str, Any]]

    def line(self, check: str) -> dict[str, Any]:
        """The line of one check."""
        (line,) = [line for line in self.lines if line["check"] == check]
        return line

    def rows(self, check: str) -> list[dict[str, Any]]:
        """What one check found."""
        rows: list[dict[str, Any]] = self.line(check)["rows"]
        return rows


@contextmanager
def _gpu_check() -> Iterator[tuple[ModuleType, pytest.MonkeyPatch]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(BENCHMARKS)
        patched.setattr(import_module("gpu.real_scores"), "FRAME_SIZE", (90, 160))
        patched.setattr(import_module("gpu.workbench"), "_SCRATCH_BYTES", 64)  # the fake fills at the host's speed
        settings = import_module("gpu.settings").Settings
        patched.setattr(settings, "for_a_look", property(lambda self: replace(self, **QUICKLY)))
        yield import_module("gpu_check"), patched


@pytest.fixture
def gpu_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The script, on frames that are quickly drawn, as ``import_module("gpu...")`` finds its modules, too."""
    monkeypatch.setenv("FCN_EDGE_CACHE", str(tmp_path / "cache"))
    with _gpu_check() as (module, _):
        yield module


@pytest.fixture(scope="session")
def gpu_kernels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FakeKernel]:
    """The kernels by entry name."""
    return emulated_kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def gpu_references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References, written as people write them."""
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    path = tmp_path_factory.mktemp("references") / "new" / "refs.npz"
    with _gpu_check() as (module, _):
        done = CliRunner().invoke(module.main, [*SMALL, "--write-references", str(path)])
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    return path


@pytest.fixture
def gpu_subject(
    gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch, gpu_kernels: dict[str, FakeKernel], gpu_references: Path
) -> Any:
    """What a check is given where cuda-python reaches a fake GPU."""
    monkeypatch.setattr(cuda_python, "open_gpu", lambda index: FakeGpu(gpu_kernels, index=index))
    subject, settings = import_module("gpu.subject"), import_module("gpu.settings").Settings(size=(64, 96), batch=2)
    return subject.Subject.of(subject.Request("cuda-python", gpu_references, settings.for_a_look, alone=False))


@pytest.fixture
def run_gpu_check(
    gpu_check: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    gpu_kernels: dict[str, FakeKernel],
    gpu_references: Path,
) -> Callable[..., Run]:
    """Runs the script where cuda-python reaches a fake GPU and pycuda is not installed."""

    def run(*words: str, gpu: dict[str, Any] | None = None, alone: bool = False, **replaced: FakeKernel) -> Run:
        made: list[FakeGpu] = []

        def open_gpu(index: int) -> FakeGpu:
            made.append(FakeGpu({**gpu_kernels, **replaced}, index=index, **{"total_bytes": 1 << 27, **(gpu or {})}))
            return made[-1]

        monkeypatch.setattr(cuda_python, "open_gpu", open_gpu)
        monkeypatch.setattr(pycuda, "open_gpu", lambda index: None)
        done = CliRunner().invoke(
            gpu_check.main, [*SMALL, *(() if alone else ("--in-process",)), "--references", str(gpu_references), *words]
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert made
        assert [one.leftovers for one in made if one.leftovers or not one.closed] == []
        return Run(done.exit_code, done.stderr, [json.loads(line) for line in done.stdout.splitlines()])

    return run


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[FakeGpu]:
    """The fake GPUs in the order in which they were made current, for stand-ins whose arrays lie on the last one."""
    current: list[FakeGpu] = []
    enter = FakeGpu.enter

    def entered(gpu: FakeGpu) -> None:
        current.append(gpu)
        enter(gpu)

    monkeypatch.setattr(FakeGpu, "enter", entered)
    return current
