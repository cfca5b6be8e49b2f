from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fcn_edge.doctor.cuda import bindings, onnxruntime_gpu
from fcn_edge.doctor.driver import Driver

from .trees import DESKTOP_GPU, ORIN, probes, written

TOOLKIT = {"usr/local/cuda/bin/nvcc": "", "usr/local/cuda/include/cuda.h": ""}
HEADER = {"usr/include/cuda.h": ""}


@pytest.mark.parametrize(
    ("installed", "files", "ok", "found"),
    [
        ({"cuda-bindings": "12.9.4"}, {}, True, "cuda-python 12.9.4"),
        ({"cuda-bindings": "12.9.4", "pycuda": "2026.1"}, {}, True, "cuda-python 12.9.4"),
        ({"cuda-bindings": "13.4.4"}, TOOLKIT, False, "needs a newer driver than one for 12.6"),
        ({"pycuda": "2026.1"}, TOOLKIT, True, "pycuda 2026.1"),
        ({"pycuda": "2026.1"}, {}, False, "pycuda 2026.1 without nvcc and cuda.h"),
        ({"pycuda": "2026.1"}, HEADER, False, "pycuda 2026.1 without nvcc: "),
        ({}, TOOLKIT, False, "a CUDA toolkit, and neither cuda-python nor pycuda"),
        ({}, {}, False, "neither cuda-python nor pycuda is installed"),
    ],
)
def test_bindings(tmp_path: Path, installed: dict[str, str], files: dict[str, str], ok: bool, found: str) -> None:
    check = bindings(written(tmp_path, files), probes(installed=installed), ORIN)
    assert check.ok == ok
    assert found in check.found
    assert ok or check.fix.startswith("pip install 'fcn_edge[cuda]' 'cuda-python==12.*'")


def test_pycuda_without_a_toolkit_hears_of_both_ways(tmp_path: Path) -> None:
    fix = bindings(tmp_path, probes(installed={"pycuda": "2026.1"}), DESKTOP_GPU).fix
    assert "needs no compiler" in fix
    assert fix.endswith("sudo apt-get install cuda-toolkit-12-8")


def test_a_toolkit_alone_hears_how_pycuda_is_built(tmp_path: Path) -> None:
    fix = bindings(written(tmp_path, TOOLKIT), probes(), ORIN).fix
    assert "CUDA_ROOT=/usr/local/cuda pip install pycuda" in fix


def test_nvcc_may_be_anywhere_on_the_path(tmp_path: Path) -> None:
    which: dict[str, Any] = {"which": lambda program: f"/opt/cuda/bin/{program}"}
    assert bindings(written(tmp_path, HEADER), probes(installed={"pycuda": "2026.1"}, **which), ORIN).ok


def test_a_driver_that_does_not_tell_its_cuda_pins_nothing(tmp_path: Path) -> None:
    assert bindings(tmp_path, probes(), Driver(problem="gone")).fix == "pip install 'fcn_edge[cuda]'"
    assert bindings(tmp_path, probes(installed={"cuda-bindings": "13.4.4"}), Driver(problem="gone")).ok


def test_onnxruntime_gpu() -> None:
    assert onnxruntime_gpu({"onnxruntime-gpu": "1.23.2"}.get).found == "1.23.2"
    check = onnxruntime_gpu({}.get)
    assert not check.ok
    assert "without a build" in check.found
