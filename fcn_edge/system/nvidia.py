"""NVIDIA hardware and its driver, from the files that they show and from the driver's library."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.cuda_driver import Driver
from fcn_edge.system.jetson import JetsonFacts
from fcn_edge.system.text import text_of

__all__ = ["NvidiaFacts", "has_nvidia_gpu", "read_nvidia"]

_GPU_NODES = ("dev/nvidia0", "dev/nvhost-gpu", "dev/nvhost-ctrl-gpu", "dev/nvgpu/igpu0")
"""Device files of NVIDIA's drivers: on cards, and on Jetson boards of different releases."""

_CARD_NODES, _BOARD_NODES = ("nvidia[0-9]*",), ("nvmap", "dri/renderD*")
_READ_ONLY = "nvmap"
"""JetPack 6 lets nobody write it: its mode is 0440."""

_NVIDIA, _DISPLAY_CLASS = "0x10de", "0x03"
"""PCI's number of the vendor, and how the class of a graphics or compute device begins."""

_WSL_DRIVER = "usr/lib/wsl/lib/libcuda.so.1"
_TOOLKIT = "usr/local/cuda"
_HEADERS = (f"{_TOOLKIT}/include/cuda.h", "usr/include/cuda.h")


@dataclass(frozen=True)
class NvidiaFacts:
    """NVIDIA hardware, its driver and the CUDA toolkit.

    Attributes:
        names: What the driver's files call the cards; empty on a Jetson and where no driver is loaded.
        devices: Device files, such as ``/dev/nvidia0``, or on a Jetson ``/dev/nvmap`` and ``/dev/dri/renderD128``.
        closed: Those of them that this user may not open.
        kernel_module: Version of the driver's kernel module, such as ``570.86.15``; a Jetson's has none of its own.
        driver: What the driver's library says.
        has_nvcc: CUDA's compiler is here.
        has_header: CUDA's header file is here.
    """

    names: tuple[str, ...]
    devices: tuple[str, ...]
    closed: tuple[str, ...]
    kernel_module: str
    driver: Driver
    has_nvcc: bool
    has_header: bool


def has_nvidia_gpu(root: Path = Path("/")) -> bool:
    """Whether a driver of NVIDIA shows a GPU; cheap, and asks no library.

    Args:
        root: Where ``/dev`` is found.
    """
    return any((root / node).exists() for node in _GPU_NODES)


def read_nvidia(
    root: Path, jetson: JetsonFacts | None, driver: Callable[[], Driver], which: Callable[[str], str | None]
) -> NvidiaFacts | None:
    """Read what NVIDIA hardware there is, with or without a driver; None where there is none.

    Args:
        root: Where ``/proc``, ``/sys``, ``/dev`` and ``/usr`` are found.
        jetson: The board, where it is a Jetson.
        driver: What the driver's library says; not asked where there is no hardware.
        which: Path of a program; None when there is none.
    """
    names = () if jetson else _names(root)
    nodes = sorted(node for one in (_BOARD_NODES if jetson else _CARD_NODES) for node in (root / "dev").glob(one))
    if not (jetson or names or nodes or _is_on_the_bus(root) or (root / _WSL_DRIVER).exists()):
        return None
    closed = [node for node in nodes if not os.access(node, os.R_OK if node.name == _READ_ONLY else os.R_OK | os.W_OK)]
    return NvidiaFacts(
        names=names,
        devices=tuple(f"/{node.relative_to(root)}" for node in nodes),
        closed=tuple(f"/{node.relative_to(root)}" for node in closed),
        kernel_module=_kernel_module(root),
        driver=driver(),
        has_nvcc=bool(which("nvcc")) or (root / _TOOLKIT / "bin/nvcc").is_file(),
        has_header=any((root / place).is_file() for place in _HEADERS),
    )


def _names(root: Path) -> tuple[str, ...]:
    return tuple(
        found[1].strip()
        for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
        if (found := re.search(r"^Model:(.*)$", text_of(path), re.MULTILINE))
    )


def _is_on_the_bus(root: Path) -> bool:
    return any(
        text_of(path / "vendor").strip() == _NVIDIA and text_of(path / "class").startswith(_DISPLAY_CLASS)
        for path in (root / "sys/bus/pci/devices").glob("*")
    )


def _kernel_module(root: Path) -> str:
    found = re.search(r"Kernel Module\b.*?\s(\d+\.\d+(?:\.\d+)?)\s", text_of(root / "proc/driver/nvidia/version"))
    return found[1] if found else ""
