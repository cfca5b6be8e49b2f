from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from fcn_edge.doctor.gpu import gpu
from fcn_edge.system.cuda_driver import Driver, Gpu, loaded_driver

from . import trees
from .trees import facts, written

ABSENT = Driver(problem="libcuda.so.1 cannot be loaded")
GPU_OF_PROC = {"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA X1\nIRQ: 3\n"}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (GPU_OF_PROC, "NVIDIA X1, CUDA up to 12.8"),
        ({"dev/nvidia0": "", "dev/nvidia1": "", "dev/nvidiactl": ""}, "2 NVIDIA device files in /dev, CUDA"),
        ({"usr/lib/wsl/lib/libcuda.so.1": ""}, "NVIDIA, CUDA up to 12.8"),
        (trees.release(36, "4.3"), "NVIDIA Tegra, CUDA"),
    ],
)
def test_a_gpu_that_works(tmp_path: Path, files: dict[str, str], found: str) -> None:
    check = gpu(facts(written(tmp_path, files), trees.DESKTOP_GPU))
    assert check.ok
    assert check.found.startswith(found)
    assert check.found.endswith(", compute capability 8.9 with 46 SM")


def test_several_gpus_are_told_apart(tmp_path: Path) -> None:
    driver = Driver("13.0", (Gpu("NVIDIA A", "8.6", 84), Gpu("NVIDIA B", "12.0", 170)))
    assert gpu(facts(written(tmp_path, GPU_OF_PROC), driver)).found.endswith(
        "NVIDIA A: compute capability 8.6 with 84 SM, NVIDIA B: compute capability 12.0 with 170 SM"
    )


def test_no_gpu(tmp_path: Path) -> None:
    check = gpu(facts(trees.plain(tmp_path)))
    assert (check.ok, check.found) == (True, "no NVIDIA GPU; none is needed, models run on the processor")


JETSON = trees.release(36, "4.3")
MODULE = {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19\n"}


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        (trees.pci("0x10de", "0x030000"), "sudo ubuntu-drivers install"),
        (MODULE | GPU_OF_PROC, "sudo apt-get install libnvidia-compute-535"),
        (GPU_OF_PROC | {".dockerenv": ""}, "docker run --gpus all"),
        (JETSON | {".dockerenv": ""}, "docker run --runtime nvidia"),
        (JETSON, "--reinstall nvidia-l4t-core nvidia-l4t-cuda"),
        (JETSON | {"dev/nvmap": ""}, "--reinstall nvidia-l4t-core nvidia-l4t-cuda"),
    ],
)
def test_a_gpu_without_its_driver(tmp_path: Path, files: dict[str, str], fix: str) -> None:
    check = gpu(facts(written(tmp_path, files), ABSENT))
    assert not check.ok
    assert check.found.endswith("; libcuda.so.1 cannot be loaded")
    assert fix in check.fix


@pytest.mark.parametrize("files", [JETSON | {"dev/nvmap": ""}, {"dev/nvidia0": ""}])
def test_a_gpu_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    driver = Driver("12.6", problem="libcuda.so.1 does not start: CUDA_ERROR_NO_DEVICE")
    check = gpu(facts(written(tmp_path, files), driver))
    assert check.fix.startswith('sudo usermod -aG video,render "$USER"')


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({}, 'sudo usermod -aG video,render "$USER", then log in again'),
        (
            {".dockerenv": ""},
            'docker run --runtime nvidia --group-add video --group-add "$(stat -c %g /dev/dri/renderD128)" ...',
        ),
    ],
)
def test_a_board_that_refuses_the_user(tmp_path: Path, files: dict[str, str], fix: str) -> None:
    refused = loaded_driver(lambda name: SimpleNamespace(cuDriverGetVersion=lambda _: 0, cuInit=lambda _: 801))
    check = gpu(facts(written(tmp_path, JETSON | files), refused))
    assert check.found.endswith("; the user may not use the GPU: groups video and render")
    assert check.fix == fix


def test_a_driver_that_shows_no_gpu(tmp_path: Path) -> None:
    check = gpu(facts(written(tmp_path, GPU_OF_PROC), Driver("12.6")))
    assert not check.ok
    assert "the driver shows no GPU" in check.found
