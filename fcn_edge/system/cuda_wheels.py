"""Which of PyPI's packages for NVIDIA GPUs fit a driver, a processor and a Python.

A driver refuses the code of a newer CUDA's compiler, and runs programs of older ones. ``tests/installs``
resolves what is said here.
"""

from __future__ import annotations

__all__ = [
    "NEWEST_CUDA",
    "OLDEST_CUDA",
    "nvrtc_package",
    "onnxruntime_wheels",
    "onnxruntime_wheels_for_any",
    "tensorrt_wheel",
    "wheels",
]

OLDEST_CUDA = 12
"""Major version of CUDA that a driver must support: that of the oldest wheels with bindings for these Pythons."""

NEWEST_CUDA = 13
"""Major version of CUDA that the newest wheels are for."""

_ARM = ("aarch64", "arm64")
_PYTHON_OF_GPU = (3, 11)
"""Oldest Python with an ONNX Runtime for CUDA 13."""


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


def onnxruntime_wheels(major: int, machine: str, python: tuple[int, int]) -> str:
    """The command that installs ONNX Runtime for a GPU, with CUDA and cuDNN; where none fits, what must come first.

    Args:
        major: Major version of CUDA that the driver supports.
        machine: Processor, such as ``x86_64`` or ``aarch64``.
        python: Major and minor version of Python.
    """
    newest = {
        f"a driver for CUDA {NEWEST_CUDA}": major >= NEWEST_CUDA,
        "Python {}.{} or newer".format(*_PYTHON_OF_GPU): python >= _PYTHON_OF_GPU,
    }
    missing = [need for need, met in newest.items() if not met]
    if not missing:
        return "pip install 'fcn_edge[gpu]'"
    if machine in _ARM:
        return f"pip install 'fcn_edge[gpu]', with {' and '.join(missing)}: PyPI has no other onnxruntime-gpu for Arm"
    command = "pip install 'fcn_edge[gpu12]'"
    return command if major >= OLDEST_CUDA else f"{command}, with a driver for CUDA {OLDEST_CUDA} or newer"


def onnxruntime_wheels_for_any(machine: str, python: tuple[int, int]) -> str:
    """The same for a driver that was not asked: the command for the newest CUDA, and where it differs, for CUDA 12.

    Args:
        machine: Processor, such as ``x86_64`` or ``aarch64``.
        python: Major and minor version of Python.
    """
    older, newer = (onnxruntime_wheels(major, machine, python) for major in (OLDEST_CUDA, NEWEST_CUDA))
    if older == newer or machine in _ARM:
        return older
    return f"{newer}, or with a driver for CUDA {OLDEST_CUDA}: {older}"


def tensorrt_wheel(major: int, machine: str) -> str:
    """The command that installs TensorRT on a desktop or server; where no wheel fits, what must come first.

    Args:
        major: Major version of CUDA that the driver supports.
        machine: Processor, such as ``x86_64`` or ``aarch64``.
    """
    newest = f"pip install tensorrt-cu{NEWEST_CUDA}"
    if major >= NEWEST_CUDA:
        return newest
    if machine in _ARM:
        return f"{newest}, with a driver for CUDA {NEWEST_CUDA}: PyPI's TensorRT for CUDA 12 on Arm ended with 10.13.0"
    command = f"pip install tensorrt-cu{OLDEST_CUDA}"
    return command if major >= OLDEST_CUDA else f"{command}, with a driver for CUDA {OLDEST_CUDA} or newer"
