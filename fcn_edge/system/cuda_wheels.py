"""Which of CUDA's packages fit a driver: it refuses the code of a newer CUDA's compiler."""

from __future__ import annotations

__all__ = ["OLDEST_CUDA", "nvrtc_package", "wheels"]

OLDEST_CUDA = 12
"""Major version of CUDA that a driver must support: that of the oldest wheels with bindings for these Pythons."""


def wheels(major: int) -> str:
    """The command that installs cuda-python and NVRTC for a driver.

    Args:
        major: Major version of CUDA that the driver supports.
    """
    command = f"pip install 'fcn_edge[{'cuda' if major > OLDEST_CUDA else 'cuda12'}]'"
    return command if major >= OLDEST_CUDA else f"{command}, with a driver for CUDA {OLDEST_CUDA} or newer"


def nvrtc_package(major: int) -> str:
    """The package of NVRTC for a driver.

    Args:
        major: Major version of CUDA that the driver supports.
    """
    return "nvidia-cuda-nvrtc" if major > OLDEST_CUDA else f"nvidia-cuda-nvrtc-cu{OLDEST_CUDA}"
