from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.doctor import cuda
from fcn_edge.doctor.check import Check
from fcn_edge.system.cuda_driver import Driver

from .trees import DESKTOP_GPU, ORIN, THOR, facts, written

TOOLKIT = {"usr/local/cuda/bin/nvcc": "", "usr/local/cuda/include/cuda.h": ""}
HEADER = {"usr/include/cuda.h": ""}


def bindings(root: Path, driver: Driver, chosen: str = "", **answers: Any) -> Check:
    found = facts(written(root, {"dev/nvidia0": ""}), driver, **answers)
    assert found.nvidia is not None
    return cuda.bindings(found.nvidia, found.software, chosen)


@pytest.mark.parametrize(
    ("installed", "files", "ok", "found"),
    [
        ({"cuda-bindings": "12.9.4"}, {}, True, "cuda-python 12.9.4"),
        ({"cuda-bindings": "12.9.4", "nvidia-cuda-nvrtc-cu12": "12.9.86"}, {}, True, "cuda-python 12.9.4"),
        ({"cuda-bindings": "12.9.4", "pycuda": "2026.1"}, {}, True, "cuda-python 12.9.4"),
        ({"cuda-bindings": "12.9.4", "pycuda": "2026.1"}, TOOLKIT, True, "cuda-python 12.9.4"),
        ({"cuda-bindings": "13.4.4"}, TOOLKIT, False, "cuda-python 13.4.4 needs a newer driver than one for 12.6"),
        ({"pycuda": "2026.1"}, TOOLKIT, True, "pycuda 2026.1, which has no CUDA graphs; cuda-python has them: pip "),
        ({"pycuda": "2026.1"}, {}, False, "pycuda 2026.1 without nvcc and cuda.h"),
        ({"pycuda": "2026.1"}, HEADER, False, "pycuda 2026.1 without nvcc: "),
        ({}, TOOLKIT, False, "a CUDA toolkit, and neither cuda-python nor pycuda"),
        ({}, {}, False, "neither cuda-python nor pycuda is installed"),
    ],
)
def test_bindings(tmp_path: Path, installed: dict[str, str], files: dict[str, str], ok: bool, found: str) -> None:
    check = bindings(written(tmp_path, files), ORIN, installed=installed)
    assert check.ok == ok
    assert found in check.found
    assert ok or check.fix.startswith("pip install 'fcn_edge[cuda12]'")


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ({"cuda-bindings": "12.9.4"}, "nvidia-cuda-nvrtc 13.0.88 needs a newer driver than one for 12.6"),
        (
            {"cuda-bindings": "12.9.4", "pycuda": "2026.1"},
            "nvidia-cuda-nvrtc 13.0.88 needs a newer driver than one for 12.6",
        ),
        (
            {"cuda-bindings": "13.4.4"},
            "cuda-python 13.4.4 and nvidia-cuda-nvrtc 13.0.88 need a newer driver than one for 12.6",
        ),
    ],
)
def test_a_compiler_newer_than_the_driver_must_go(tmp_path: Path, installed: dict[str, str], found: str) -> None:
    check = bindings(tmp_path, ORIN, installed={**installed, "nvidia-cuda-nvrtc": "13.0.88"})
    assert (check.ok, check.found) == (False, found)
    assert check.fix == "pip uninstall -y nvidia-cuda-nvrtc && pip install 'fcn_edge[cuda12]'"


def test_newer_drivers_take_the_newer_extra(tmp_path: Path) -> None:
    assert bindings(tmp_path, THOR).fix == "pip install 'fcn_edge[cuda]'"
    assert bindings(tmp_path, THOR, installed={"cuda-bindings": "13.0.3", "nvidia-cuda-nvrtc": "13.5.37"}).ok


def test_older_drivers_are_too_old(tmp_path: Path) -> None:
    assert bindings(tmp_path, Driver("11.4")).fix.endswith("with a driver for CUDA 12 or newer")


@pytest.mark.parametrize(
    ("chosen", "installed", "found", "fix"),
    [
        ("pycuda", ("cuda-bindings", "pycuda"), "pycuda 2026.1, which has no CUDA graphs", ""),
        ("pycuda", ("cuda-bindings",), "FCN_EDGE_CUDA=pycuda, and pycuda is not installed", "unset FCN_EDGE_CUDA, or "),
        ("cuda-python", ("cuda-bindings", "pycuda"), "cuda-python 2026.1", ""),
        ("cuda-python", ("pycuda",), "FCN_EDGE_CUDA=cuda-python, and cuda-python is not installed", "pip install "),
        (
            "cupy",
            ("cuda-bindings",),
            "FCN_EDGE_CUDA is 'cupy'; cuda-python or pycuda was expected",
            "unset FCN_EDGE_CUDA",
        ),
    ],
)
def test_the_library_that_is_chosen(
    tmp_path: Path, chosen: str, installed: tuple[str, ...], found: str, fix: str
) -> None:
    root, gone = written(tmp_path, TOOLKIT), Driver(problem="gone")
    check = bindings(root, gone, chosen, installed=dict.fromkeys(installed, "2026.1"))
    assert (check.ok, check.found) == (not fix, found)
    assert check.fix.startswith(fix)


def test_pycuda_that_is_chosen_and_lacks_a_header_is_left_or_gets_it(tmp_path: Path) -> None:
    installed = {"pycuda": "2026.1", "cuda-bindings": "12.9.4"}
    root = written(tmp_path, {"usr/local/cuda/bin/nvcc": ""})
    assert bindings(root, ORIN, installed=installed).ok
    check = bindings(root, ORIN, "pycuda", installed=installed)
    assert check.found == "pycuda 2026.1 without cuda.h: it compiles no kernels"
    assert check.fix.startswith("unset FCN_EDGE_CUDA && pip install 'fcn_edge[cuda12]'")
    assert check.fix.endswith("sudo apt-get install cuda-toolkit-12-6")


def test_pycuda_without_a_toolkit_hears_of_both_ways(tmp_path: Path) -> None:
    fix = bindings(tmp_path, DESKTOP_GPU, installed={"pycuda": "2026.1"}).fix
    assert "needs no compiler" in fix
    assert fix.endswith("sudo apt-get install cuda-toolkit-12-8")


def test_a_toolkit_alone_hears_how_pycuda_is_built(tmp_path: Path) -> None:
    fix = bindings(written(tmp_path, TOOLKIT), ORIN).fix
    assert "CUDA_ROOT=/usr/local/cuda pip install pycuda" in fix


def test_nvcc_may_be_anywhere_on_the_path(tmp_path: Path) -> None:
    which: dict[str, Any] = {"which": lambda program: f"/opt/cuda/bin/{program}"}
    assert bindings(written(tmp_path, HEADER), ORIN, installed={"pycuda": "2026.1"}, **which).ok


def test_a_driver_that_does_not_tell_its_cuda_pins_nothing(tmp_path: Path) -> None:
    assert bindings(tmp_path, Driver(problem="gone")).fix == "pip install 'fcn_edge[cuda]'"
    assert bindings(tmp_path, Driver(problem="gone"), installed={"cuda-bindings": "13.4.4"}).ok


def test_onnxruntime_gpu(tmp_path: Path) -> None:
    def onnxruntime_gpu(driver: Driver, **installed: str) -> Check:
        packages = {name.replace("_", "-"): version for name, version in installed.items()}
        found = facts(written(tmp_path, {"dev/nvidia0": ""}), driver, installed=packages)
        assert found.nvidia is not None
        return cuda.onnxruntime_gpu(found.nvidia, found.software)

    assert onnxruntime_gpu(DESKTOP_GPU, onnxruntime_gpu="1.23.2").found == "1.23.2"
    check = onnxruntime_gpu(DESKTOP_GPU)
    assert check.fix == "pip uninstall -y onnxruntime && pip install 'fcn_edge[gpu12]'"
    assert onnxruntime_gpu(THOR).fix.endswith("pip install 'fcn_edge[gpu]'")
    assert not check.ok
    assert "without a build" in check.found
