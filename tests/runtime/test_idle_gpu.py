"""Who runs a model on the processor of a machine with a GPU is told; who means it so is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.engine_manifest import read_manifest, write_manifest
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.runtime import idle_gpu as module
from fcn_edge.runtime.idle_gpu import idle_gpu
from fcn_edge.system.cuda_driver import Driver, Gpu

ORIN = Driver("12.6", (Gpu("Orin", "8.7", 8),))
SIZE = (64, 96)
Said = Callable[..., str]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """The files of a machine with a GPU."""
    (tmp_path / "root/dev").mkdir(parents=True)
    (tmp_path / "root/dev/nvhost-gpu").touch()
    return tmp_path / "root"


@pytest.fixture
def said(board: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """What is said of a model on a board on which these libraries for GPUs are installed."""

    def say(
        model: Model,
        *libraries: str,
        size: tuple[int, int] = SIZE,
        asked_for: str = "auto",
        driver: Driver = ORIN,
        environ: dict[str, str] | None = None,
        reached: bool = True,
    ) -> str:
        monkeypatch.setattr(module, "find_spec", lambda name: name if name in libraries else None)
        monkeypatch.setattr(module, "_REACHING", ("pytest",) if reached else ("no-such-distribution",))
        return idle_gpu(model, size, asked_for, root=board, driver=lambda: driver, environ=environ or {})

    return say


@pytest.fixture
def model(tiny: Any) -> Model:
    return resolved_model(tiny.path)


def test_a_machine_without_a_gpu_is_asked_nothing(tmp_path: Path, model: Model) -> None:
    assert idle_gpu(model, SIZE, "auto", root=tmp_path, driver=lambda: pytest.fail("its driver was asked")) == ""


@pytest.mark.parametrize(
    ("libraries", "end"),
    [
        (("tensorrt",), ". To use it: fcn-edge build {} --backend tensorrt --precision fp16"),
        (("tensorrt_rtx", "tensorrt"), ". To use it: fcn-edge build {} --backend tensorrt --precision fp16"),
        (("onnxruntime-gpu",), ". To use it: fcn-edge build {} --backend onnxruntime-cuda --precision fp16"),
        ((), ", because no library for the GPU is installed: fcn-edge doctor gives the command."),
    ],
)
def test_the_command_is_for_a_library_that_is_here(
    said: Said, model: Model, libraries: tuple[str, ...], end: str
) -> None:
    text = said(model, *libraries)
    assert text == "An NVIDIA GPU (Orin) is here, and this runs on the CPU" + end.format(model.path)


def test_a_library_that_reaches_no_gpu_is_not_enough(said: Said, model: Model) -> None:
    """JetPack's TensorRT is there before cuda-python is installed."""
    assert said(model, "tensorrt", reached=False).endswith(
        ", because neither cuda-python nor pycuda is installed: fcn-edge doctor gives the command."
    )


def test_the_command_builds_for_the_size_that_runs(said: Said, model: Model) -> None:
    assert said(model, "tensorrt", size=(96, 128)).endswith(" --precision fp16 --size 96x128")


def test_of_a_typed_graph_the_fp32_model_is_built(said: Said, levels_int8: Path) -> None:
    text = said(resolved_model(levels_int8 / "model.onnx"), "tensorrt")
    assert "fcn-edge build MODEL --backend tensorrt --precision fp16" in text
    assert text.endswith(", where MODEL is the fp32 model that this one was made from")


def test_who_names_a_backend_means_it(said: Said, model: Model) -> None:
    assert said(model, "tensorrt", asked_for="onnxruntime") == ""


def test_who_hides_the_gpu_means_it(said: Said, model: Model) -> None:
    none = Driver("12.6", problem="libcuda.so.1 does not start: CUDA_ERROR_NO_DEVICE")
    assert said(model, driver=none, environ={"CUDA_VISIBLE_DEVICES": ""}) == ""
    for environ in ({}, {"CUDA_VISIBLE_DEVICES": "0"}):
        assert said(model, driver=none, environ=environ) == (
            "An NVIDIA GPU is here and cannot be used: fcn-edge doctor says why. This runs on the CPU."
        )


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ({"backend": "onnxruntime", "considered": ["onnxruntime 1.20"]}, None),
        ({"backend": "auto", "considered": ["onnxruntime 1.20", "tensorrt 10.3.0"]}, None),
        ({"backend": "auto", "considered": ["onnxruntime 1.20"]}, " --backend tensorrt --precision fp16"),
        ({}, " --backend tensorrt --precision fp16"),
    ],
)
def test_an_engine_may_be_for_the_processor_on_purpose(
    said: Said, tiny: Any, tmp_path: Path, quick_builds: Any, options: dict[str, Any], end: str | None
) -> None:
    built = build_engine(tiny.path, BuildRequest(backend="onnxruntime"), output=tmp_path / "engine").engine
    write_manifest(built, read_manifest(built).model_copy(update={"options": options}))
    text = said(resolved_model(built), "tensorrt")
    assert text == "" if end is None else text.endswith(f"fcn-edge build {tiny.path}{end}")
