from __future__ import annotations

import os
from pathlib import Path

import pytest

from fcn_edge.system.jetson import JetsonFacts
from fcn_edge.system.nvidia import NvidiaFacts, has_nvidia_gpu, read_nvidia

from ..doctor import trees
from ..doctor.trees import written


def test_gpu_is_seen_by_its_device_files(tmp_path: Path) -> None:
    assert not has_nvidia_gpu(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvhost-gpu").touch()
    assert has_nvidia_gpu(tmp_path)


JETSON = JetsonFacts("NVIDIA Jetson", "36.4.3", None)
CARD = {"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA X1\nIRQ: 3\n"}
MODULE = {"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19\n"}


def read(root: Path, jetson: JetsonFacts | None = None, nvcc: str | None = None) -> NvidiaFacts | None:
    return read_nvidia(root, jetson, lambda: trees.DESKTOP_GPU, {"nvcc": nvcc}.get)


@pytest.mark.parametrize(
    "files",
    [CARD, {"dev/nvidia0": ""}, {"usr/lib/wsl/lib/libcuda.so.1": ""}, trees.pci("0x10de", "0x030200")],
)
def test_hardware_is_found_with_and_without_a_driver(tmp_path: Path, files: dict[str, str]) -> None:
    found = read(written(tmp_path, files))
    assert found is not None
    assert found.driver == trees.DESKTOP_GPU


def test_other_hardware_is_not_nvidias(tmp_path: Path) -> None:
    assert read(trees.plain(tmp_path)) is None
    assert read(tmp_path, JETSON) is not None


def test_a_card_and_its_driver(tmp_path: Path) -> None:
    found = read(written(tmp_path, {**CARD, **MODULE, "dev/nvidia0": "", "dev/nvidia1": "", "dev/nvidiactl": ""}))
    assert found is not None
    assert (found.names, found.kernel_module) == (("NVIDIA X1",), "535.129.03")
    assert (found.devices, found.closed) == (("/dev/nvidia0", "/dev/nvidia1"), ())


@pytest.mark.parametrize(("jetson", "node"), [(JETSON, "nvmap"), (None, "nvidia0")])
def test_device_files_of_other_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jetson: JetsonFacts | None, node: str
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = read(written(tmp_path, {f"dev/{node}": ""}), jetson)
    assert found is not None
    assert found.closed == (f"/dev/{node}",)


@pytest.mark.parametrize(
    ("groups", "closed"),
    [
        ({"nvmap", "renderD128"}, ()),
        ({"nvmap"}, ("/dev/dri/renderD128",)),
        (set(), ("/dev/dri/renderD128", "/dev/nvmap")),
    ],
)
def test_device_files_of_jetpack_6_ask_for_both_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: set[str], closed: tuple[str, ...]
) -> None:
    """Nobody but root may write /dev/nvmap, and nobody has to."""
    root = written(tmp_path, {"dev/nvmap": "", "dev/dri/renderD128": ""})
    (root / "dev/nvmap").chmod(0o440)
    (root / "dev/dri/renderD128").chmod(0o660)

    def access(path: Path, mode: int) -> bool:
        granted = path.stat().st_mode >> 3 & 7 if path.name in groups else path.stat().st_mode & 7
        return granted & mode == mode

    monkeypatch.setattr(os, "access", access)
    found = read(root, JETSON)
    assert found is not None
    assert (found.devices, found.closed) == (("/dev/dri/renderD128", "/dev/nvmap"), closed)


@pytest.mark.parametrize(
    ("files", "nvcc", "has_nvcc", "has_header"),
    [
        ({}, None, False, False),
        ({}, "/opt/cuda/bin/nvcc", True, False),
        ({"usr/local/cuda/bin/nvcc": "", "usr/local/cuda/include/cuda.h": ""}, None, True, True),
        ({"usr/include/cuda.h": ""}, None, False, True),
    ],
)
def test_the_toolkit(tmp_path: Path, files: dict[str, str], nvcc: str | None, has_nvcc: bool, has_header: bool) -> None:
    found = read(written(tmp_path, files), JETSON, nvcc)
    assert found is not None
    assert (found.has_nvcc, found.has_header) == (has_nvcc, has_header)
