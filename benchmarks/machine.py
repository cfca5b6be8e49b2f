"""What a benchmark's numbers were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fcn_edge.system.cpu import available_cores, cpu_name, instruction_set

__all__ = ["machine"]

PACKAGES = (
    "fcn_edge",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "onnx",
    "torch",
    "tensorrt",
    "tensorrt-rtx-cu13",
    "cuda-python",
    "nvidia-cuda-nvrtc",
    "pycuda",
)
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA")


def machine(threads: int | None) -> dict[str, Any]:
    """What the numbers were measured on."""
    return {
        "cpu": cpu_name(),
        "instructions": instruction_set(),
        "cores": available_cores(),
        "threads": threads or available_cores(),
        "clock_mhz": clocks(),
        "governor": first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "load_before": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := installed(name))},
        "environment": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


def clocks() -> list[float]:
    """MHz of each core now, where the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]


def first_line(path: Path) -> str | None:
    """The first line of a file; None where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def installed(name: str) -> str | None:
    """Version of a distribution; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
