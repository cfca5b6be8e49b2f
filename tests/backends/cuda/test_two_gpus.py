"""A machine with two GPUs: whatever is asked for by its index is done on that one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from fcn_edge.artifacts.engine_manifest import read_manifest
from fcn_edge.backends.cuda import device as cuda_device
from fcn_edge.backends.cuda.errors import no_such_gpu
from fcn_edge.backends.onnxruntime import cuda
from fcn_edge.backends.onnxruntime import library as onnxruntime_library
from fcn_edge.backends.onnxruntime.cuda import OnnxRuntimeCuda
from fcn_edge.backends.opening import open_engine
from fcn_edge.backends.options import RunOptions
from fcn_edge.cli.main import main
from fcn_edge.errors import DeviceError, UsageError
from fcn_edge.runtime.segmenter import load
from fcn_edge.testing.gpu import FakeGpu

from ..onnxruntime.test_cuda import IMAGE, SIZE, Library
from .gpu import KERNELS

pytestmark = pytest.mark.usefixtures("quick_builds")

STREET = "synthetic://street?seed=2&size=64x96&frames=3"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[FakeGpu]:
    """The GPUs that were opened, in order, of a machine that has two."""
    made: list[FakeGpu] = []
    library = Library(FakeGpu())

    def open_gpu(index: int) -> FakeGpu:
        if index > 1:
            raise no_such_gpu(index, 2)
        library.gpu = FakeGpu(KERNELS, index=index, multiprocessors=(16, 8)[index])
        made.append(library.gpu)
        return library.gpu

    monkeypatch.setenv("FCN_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cuda_device, "PROVIDERS", {"fake": "fake"})
    monkeypatch.setattr(cuda_device, "import_module", lambda name: SimpleNamespace(open_gpu=open_gpu))
    real = onnxruntime_library.library
    monkeypatch.setattr(cuda, "library", lambda *_: library)
    # sessions of the CUDA provider are the stand-in's, all else is the real library's
    provider = "CUDAExecutionProvider"

    def session(path: str, options: Any, providers: Any, **how: Any) -> Any:
        of = library if providers[0][0] == provider else real()
        return of.InferenceSession(path, options, providers=providers, **how)

    mixed = SimpleNamespace(
        SessionOptions=library.SessionOptions,
        InferenceSession=session,
        __version__=real().__version__,
        get_available_providers=real().get_available_providers,
    )
    monkeypatch.setattr(onnxruntime_library, "library", lambda *_: mixed)
    return made


def indices(gpus: list[FakeGpu]) -> set[int]:
    return {gpu.facts.index for gpu in gpus}


@pytest.fixture
def command(opened: list[FakeGpu]) -> Callable[..., Any]:
    """Runs ``fcn-edge`` with ``--json``; gives its exit code and its object."""

    def run(*words: object) -> Any:
        opened.clear()
        done = CliRunner().invoke(main, [*map(str, words), "--json"])
        return done.exit_code, json.loads(done.stdout)

    return run


@pytest.mark.parametrize("index", [0, 1])
def test_a_backend_tells_of_and_runs_on_the_gpu_of_an_index(opened: list[FakeGpu], tiny: Any, index: int) -> None:
    (device,) = OnnxRuntimeCuda().probe(index).devices
    assert device.name == f"Fake GPU ({(16, 8)[index]} SM)"
    options = RunOptions(device=index)
    with OnnxRuntimeCuda().open_onnx(tiny.path, tiny.spec, SIZE, options) as engine, engine.session() as session:
        session.labels(IMAGE)
    assert indices(opened) == {index}
    assert opened[-1].leftovers == []


def test_a_gpu_that_is_not_there_is_told(opened: list[FakeGpu], tiny: Any) -> None:
    assert OnnxRuntimeCuda().probe(2).problem == "There is no GPU 2: this machine has GPUs 0 to 1."
    with pytest.raises(DeviceError, match="no GPU 2"):
        OnnxRuntimeCuda().open_onnx(tiny.path, tiny.spec, SIZE, RunOptions(device=2))


def test_load_says_on_which_gpu_it_runs(opened: list[FakeGpu], tiny: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), load(tiny.path, backend="onnxruntime-cuda", device=1) as segment:
        segment(IMAGE)
    assert indices(opened) == {1}
    assert "runs on Fake GPU (8 SM)" in caplog.text
    assert "at 64x96, through fake\n" in caplog.text


def test_load_says_what_the_way_to_the_gpu_lacks(
    opened: list[FakeGpu], tiny: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGpu, "has_graphs", property(lambda _: False, lambda *_: None), raising=False)
    with caplog.at_level("INFO"), load(tiny.path, backend="onnxruntime-cuda"):
        assert "through fake, which has no CUDA graphs\n" in caplog.text


def test_run_and_evaluate_use_the_gpu_of_the_option(
    command: Any, opened: list[FakeGpu], tiny: Any, levels: Any, levels_val: Path
) -> None:
    here = "--backend", "onnxruntime-cuda", "--device", 1
    for words in (("run", tiny.path, STREET), ("evaluate", levels.path, "--data", levels_val)):
        code, printed = command(*words, *here)
        assert (code, indices(opened)) == (0, {1}), printed


def test_a_build_is_for_the_gpu_of_the_option(command: Any, opened: list[FakeGpu], tiny: Any, tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    words = "build", tiny.path, "--backend", "onnxruntime-cuda", "-o", engine, "--device"
    code, printed = command(*words, 1)
    assert code == 0, printed
    assert indices(opened) == {1}
    assert read_manifest(engine).device.name == "Fake GPU (8 SM)"
    code, printed = command(*words, 1, "--if-stale")
    assert (code, printed["up_to_date"]) == (0, True)
    code, printed = command(*words, 0, "--if-stale")
    assert (code, printed["up_to_date"]) == (0, False)
    assert "device changed from Fake GPU (8 SM)" in printed["reason"]
    code, printed = command("run", engine, STREET, "--device", 1)
    assert (code, indices(opened)) == (0, {1}), printed
    opened.clear()
    with open_engine(engine, RunOptions(device=1)) as there, there.session() as session:
        session.labels(IMAGE)
    assert indices(opened) == {1}


def test_the_way_to_build_again_names_the_gpu(
    command: Any, opened: list[FakeGpu], tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "engine"
    told = CliRunner().invoke(
        main, ["build", str(tiny.path), "--backend", "onnxruntime-cuda", "--device", "1", "-o", str(engine)]
    )
    assert told.stdout.splitlines()[-1] == f"Use it: fcn-edge run {engine} SOURCE --device 1"
    monkeypatch.setattr(OnnxRuntimeCuda, "incompatibility", lambda *_: "it is not this one")
    code, printed = command("run", engine, STREET, "--device", 1)
    assert code == 3
    assert f"--device 1 -o {engine}" in printed["fix"]


@pytest.mark.parametrize("verb", [("run", STREET), ("build",)])
def test_a_gpu_that_there_is_not_ends_with_6(command: Any, tiny: Any, verb: tuple[str, ...]) -> None:
    code, printed = command(verb[0], tiny.path, *verb[1:], "--backend", "onnxruntime-cuda", "--device", 2)
    assert (code, printed["error"]) == (6, "There is no GPU 2: this machine has GPUs 0 to 1.")


@pytest.mark.parametrize("verb", [("run", STREET), ("build",)])
def test_a_processor_is_no_gpu(command: Any, tiny: Any, verb: tuple[str, ...]) -> None:
    code, printed = command(verb[0], tiny.path, *verb[1:], "--backend", "onnxruntime", "--device", 1)
    assert (code, printed["exit_code"]) == (2, 2)
    assert printed["error"] == "GPU 1 was chosen, and onnxruntime runs on the processor."
    with pytest.raises(UsageError, match="GPU 1 was chosen"):
        load(tiny.path, device=1)
