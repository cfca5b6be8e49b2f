"""The NVIDIA GPU and its driver."""

from __future__ import annotations

import os
import re
from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.doctor.jetson import board, in_container, is_jetson
from fcn_edge.system.cuda_driver import Driver
from fcn_edge.system.text import text_of

__all__ = ["gpu", "has_nvidia"]

NVIDIA, DISPLAY_CLASS = "0x10de", "0x03"
"""PCI's number of the vendor, and how the class of a graphics or compute device begins."""

WSL_DRIVER = "usr/lib/wsl/lib/libcuda.so.1"


def has_nvidia(root: Path) -> bool:
    """Whether there is NVIDIA hardware, with or without a driver."""
    return is_jetson(root) or bool(_names(root)) or _on_the_bus(root) or (root / WSL_DRIVER).exists()


def gpu(root: Path, driver: Driver) -> Check:
    """The GPU, its driver and compute capability.

    Args:
        root: Where ``/proc``, ``/sys``, ``/dev`` and ``/etc`` are found.
        driver: What the driver library says.
    """
    if not has_nvidia(root):
        return Check("GPU", True, "no NVIDIA GPU; none is needed, models run on the processor")
    parts = _names(root) or ["NVIDIA"]
    if version := _kernel_module(root):
        parts.append(f"driver {version}")
    if driver.cuda:
        parts.append(f"CUDA up to {driver.cuda}")
    several = len(driver.gpus) > 1
    parts += [f"{name + ': ' if several else ''}compute capability {capability}" for name, capability in driver.gpus]
    problem = driver.problem or ("" if driver.gpus else "the driver shows no GPU")
    if problem:
        return Check("GPU", False, f"{', '.join(parts)}; {problem}", _fix(root))
    return Check("GPU", True, ", ".join(parts))


def _names(root: Path) -> list[str]:
    if is_jetson(root):
        return [board(root)]
    names = [
        found[1].strip()
        for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
        if (found := re.search(r"^Model:(.*)$", text_of(path), re.MULTILINE))
    ]
    devices = len(list((root / "dev").glob("nvidia[0-9]*")))
    if not names and devices:
        return [f"{devices} NVIDIA device file{'s' * (devices > 1)} in /dev"]
    return names


def _on_the_bus(root: Path) -> bool:
    return any(
        text_of(path / "vendor").strip() == NVIDIA and text_of(path / "class").startswith(DISPLAY_CLASS)
        for path in (root / "sys/bus/pci/devices").glob("*")
    )


def _kernel_module(root: Path) -> str:
    """Version of the driver's kernel module; a Jetson's has none of its own."""
    found = re.search(r"Kernel Module\b.*?\s(\d+\.\d+(?:\.\d+)?)\s", text_of(root / "proc/driver/nvidia/version"))
    return found[1] if found else ""


def _fix(root: Path) -> str:
    jetson = is_jetson(root)
    if in_container(root):
        return "docker run --runtime nvidia ..." if jetson else "docker run --gpus all ..."
    nodes = [root / "dev/nvmap"] if jetson else sorted((root / "dev").glob("nvidia[0-9]*"))
    if any(node.exists() and not os.access(node, os.R_OK | os.W_OK) for node in nodes):
        return 'sudo usermod -aG video,render "$USER", then log in again'
    if jetson:
        return "sudo apt-get install --reinstall nvidia-l4t-core nvidia-l4t-cuda, then reboot"
    if version := _kernel_module(root):
        major = version.partition(".")[0]
        return f"sudo apt-get install libnvidia-compute-{major} (Debian: libcuda1), then reboot"
    return "sudo ubuntu-drivers install (Debian: sudo apt-get install nvidia-driver), then reboot"
