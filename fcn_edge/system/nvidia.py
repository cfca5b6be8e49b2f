"""NVIDIA hardware and its driver, from the files that they show."""

from __future__ import annotations

from pathlib import Path

__all__ = ["has_nvidia_gpu"]

_GPU_NODES = ("dev/nvidia0", "dev/nvhost-gpu", "dev/nvhost-ctrl-gpu", "dev/nvgpu/igpu0")
"""Device files of NVIDIA's drivers: on cards, and on Jetson boards of different releases."""


def has_nvidia_gpu(root: Path = Path("/")) -> bool:
    """Whether a driver of NVIDIA shows a GPU; cheap, and asks no library.

    Args:
        root: Where ``/dev`` is found.
    """
    return any((root / node).exists() for node in _GPU_NODES)
