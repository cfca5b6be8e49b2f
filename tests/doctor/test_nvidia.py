"""Whole machines: which lines there are, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.doctor import all_checks
from fcn_edge.doctor.check import Check
from fcn_edge.doctor.nvidia import nvidia
from fcn_edge.system.cuda_driver import Driver

from . import trees
from .trees import facts

WITH_GSTREAMER: dict[str, Any] = {
    "gstreamer": trees.gstreamer_has(*trees.GSTREAMER, *trees.ON_BOARDS),
    "which": trees.has("lsmod"),
}
NVGPU = {"usr/bin/python3": "", "proc/modules": "nvgpu 2678784 24 - Live 0x0000000000000000\n"}


def by_name(checks: list[Check]) -> dict[str, Check]:
    named = {check.name: check for check in checks}
    assert len(named) == len(checks)
    assert all(check.ok or check.fix for check in checks)
    assert not any(check.required for check in checks), "the processor runs models without any of it"
    return named


def test_a_fresh_orin_nano_with_jetpack_62(tmp_path: Path) -> None:
    checks = by_name(nvidia(facts(trees.jetpack_62(tmp_path))))
    assert [name for name, check in checks.items() if check.ok] == ["GPU", "JetPack"]
    assert checks["GPU"].found.endswith("Kit Super, CUDA up to 12.6, compute capability 8.7")
    assert checks["JetPack"].found == "6.2 (L4T 36.4.3), on the host"
    assert checks["TensorRT"].fix == "/usr/bin/python3 -m venv --system-site-packages /home/user/fcn_edge/.venv"
    assert checks["CUDA from Python"].fix.startswith("pip install 'fcn_edge[cuda12]'")
    assert checks["power mode"].fix == "sudo nvpmodel -m 2 && sudo jetson_clocks"
    assert "swapon /swapfile" in checks["memory for builds"].fix
    assert "video engine" not in checks, "what GStreamer lacks is a check of every machine's"


def test_a_fixed_orin_nano(tmp_path: Path) -> None:
    root = trees.jetpack_62(tmp_path)
    trees.written(root, {"var/lib/nvpmodel/status": "pmode:0002", **trees.memory(5), **NVGPU})
    installed = {"tensorrt": "10.3.0", "cuda-bindings": "12.9.4"}
    checks = by_name(nvidia(facts(root, installed=installed, **WITH_GSTREAMER)))
    assert all(check.ok for check in checks.values())
    assert checks["TensorRT"].found == "10.3.0, as JetPack 6.2 ships 10.3.0.30"
    assert checks["video engine"].found.endswith("nvarguscamerasrc; lsmod lists nvgpu")


def test_a_thor_with_jetpack_71(tmp_path: Path) -> None:
    installed = {"tensorrt": "10.13.3.9", "cuda-bindings": "13.0.3"}
    answers: dict[str, Any] = {"python": (3, 12)}
    checks = by_name(nvidia(facts(trees.jetpack_71(tmp_path), trees.THOR, installed=installed, **answers)))
    assert all(check.ok for check in checks.values())
    assert checks["JetPack"].found == "7.1 (L4T 38.4.0), on the host"
    assert checks["power mode"].found == "MAXN (mode 0)"


def test_an_agx_orin_with_jetpack_72(tmp_path: Path) -> None:
    answers: dict[str, Any] = {"installed": {"tensorrt": "10.16.2.10"}, "python": (3, 12), **WITH_GSTREAMER}
    root = trees.written(trees.jetpack_72(tmp_path), {"usr/bin/python3": ""})
    checks = by_name(nvidia(facts(root, trees.ORIN_ON_JETPACK_7, **answers)))
    assert checks["video engine"].found.endswith("lsmod is here, without nvgpu")
    assert [name for name, check in checks.items() if not check.ok] == ["CUDA from Python"]
    assert checks["JetPack"].found == "7.2 (L4T 39.2.0), on the host"
    assert checks["TensorRT"].found == "10.16.2.10, as JetPack 7.2 ships 10.16.2.10"
    assert "power mode" not in checks, "its modes cannot be read"


def test_a_desktop(tmp_path: Path) -> None:
    checks = by_name(nvidia(facts(trees.desktop(tmp_path), trees.DESKTOP_GPU)))
    assert list(checks) == ["GPU", "TensorRT", "CUDA from Python", "onnxruntime-gpu"]
    assert "driver 570.86.15, CUDA up to 12.8" in checks["GPU"].found
    assert checks["TensorRT"].fix == "pip install tensorrt-cu12"
    assert checks["onnxruntime-gpu"].fix == "pip uninstall -y onnxruntime && pip install 'fcn_edge[gpu12]'"


@pytest.mark.parametrize("tree", [trees.desktop, trees.jetpack_62])
def test_the_library_that_the_environment_names_is_checked(tmp_path: Path, tree: Callable[[Path], Path]) -> None:
    environ = {"FCN_EDGE_CUDA": "pycuda"}
    checks = by_name(nvidia(facts(tree(tmp_path), installed={"cuda-bindings": "12.6.2"}, environ=environ)))
    assert checks["CUDA from Python"].found == "FCN_EDGE_CUDA=pycuda, and pycuda is not installed"


def test_a_desktop_without_a_driver_hears_of_that_alone(tmp_path: Path) -> None:
    root = trees.written(tmp_path, trees.pci("0x10de", "0x030200"))
    (check,) = nvidia(facts(root, Driver(problem="libcuda.so.1 cannot be loaded")))
    assert not check.ok
    assert "ubuntu-drivers install" in check.fix


def test_a_machine_without_nvidia_hardware_gets_one_line(tmp_path: Path) -> None:
    def unasked() -> Driver:
        raise AssertionError("no driver is to be looked for")

    root = trees.plain(tmp_path)
    found = facts(root, driver=unasked)
    (check,) = nvidia(found)
    assert (check.name, check.ok, check.fix) == ("GPU", True, "")
    assert check.found.startswith("no NVIDIA GPU; none is needed")
    said = " ".join(one.name + one.found + one.fix for one in all_checks(found))
    assert not {"TensorRT", "JetPack", "nvpmodel", "pycuda"} & set(said.replace(",", " ").split())


def test_a_board_with_jetpack_5_hears_that_it_is_too_old(tmp_path: Path) -> None:
    root = trees.written(tmp_path, {**trees.release(35, "4.1"), **trees.memory(3)})
    checks = by_name(nvidia(facts(root, Driver("11.4", (("Orin", "8.7"),)))))
    assert list(checks) == ["GPU", "JetPack"]
    assert "for Python 3.8, which is too old" in checks["JetPack"].found
    assert "Flash JetPack 6.2 or newer" in checks["JetPack"].fix


def test_all_checks_of_a_jetson_together(tmp_path: Path) -> None:
    names = [check.name for check in all_checks(facts(trees.jetpack_62(tmp_path)))]
    assert len(set(names)) == len(names)
    assert {"JetPack", "TensorRT", "power mode", "memory", "memory for builds"} <= set(names)
