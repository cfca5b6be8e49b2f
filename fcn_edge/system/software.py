"""Python and the packages that fcn_edge can use."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from fcn_edge.errors import MachineError
from fcn_edge.system.probes import Probes

__all__ = [
    "DISTRIBUTIONS",
    "OPENCV",
    "TENSORRT",
    "VIDEO_LIBRARIES",
    "OpenCvFacts",
    "PythonFacts",
    "SoftwareFacts",
    "read_software",
]

OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""Distributions that all bring the module cv2 and overwrite each other."""

TENSORRT = tuple(f"tensorrt{cuda}{part}" for cuda in ("", "-cu12", "-cu13") for part in ("", "-bindings", "-libs"))
"""Distributions of TensorRT on PyPI. Its wheels for Arm are for servers, not for boards with JetPack 6."""

DISTRIBUTIONS = (
    *("fcn_edge", "numpy", "pydantic", "click", "tqdm", "threadpoolctl"),
    *("torch", "onnx", "onnxscript", "safetensors"),
    *("onnxruntime", "onnxruntime-gpu", "openvino"),
    *OPENCV,
    "av",
    "starlette",
    "uvicorn",
    "websockets",
    "prometheus_client",
    *TENSORRT,
    *("tensorrt-rtx", "tensorrt-rtx-cu12", "tensorrt-rtx-cu13"),
    *("cuda-python", "cuda-bindings", "nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12", "pycuda"),
)
"""Distributions whose versions are read."""

VIDEO_LIBRARIES = ("FFMPEG", "GStreamer", "v4l/v4l2")
"""Libraries that OpenCV may be built with, by their names in its build information."""


@dataclass(frozen=True)
class PythonFacts:
    """The interpreter and its environment.

    Attributes:
        version: Such as ``3.10.12``.
        minor: Major and minor version.
        machine: Processor that it is for, such as ``aarch64``.
        executable: Path of the interpreter.
        prefix: Folder of the environment.
        is_venv: It is a virtual environment.
    """

    version: str
    minor: tuple[int, int]
    machine: str
    executable: str
    prefix: Path
    is_venv: bool


@dataclass(frozen=True)
class OpenCvFacts:
    """The module ``cv2``.

    Attributes:
        version: Such as ``4.10.0``; empty where it does not load.
        libraries: Which of FFMPEG, GStreamer and v4l/v4l2 it was built with.
        gui: What it opens windows with, such as ``QT5``; ``NONE`` when it opens none, empty when it does not tell.
        problem: Why it does not load; empty when it does.
        fix: What to do about that.
    """

    version: str
    libraries: tuple[str, ...]
    gui: str
    problem: str = ""
    fix: str = ""


@dataclass(frozen=True)
class SoftwareFacts:
    """What is installed.

    Attributes:
        python: The interpreter.
        packages: Version of each of ``DISTRIBUTIONS``; None where it is not installed.
        opencv: The module ``cv2``.
        sees_tensorrt: This Python finds a module ``tensorrt``, be it PyPI's or JetPack's.
        pythons_with_tensorrt: Versions of the system's Pythons that have TensorRT, such as ``3.10``; ``3`` for
            whichever it is.
    """

    python: PythonFacts
    packages: Mapping[str, str | None]
    opencv: OpenCvFacts
    sees_tensorrt: bool
    pythons_with_tensorrt: tuple[str, ...]

    def version(self, distribution: str) -> str | None:
        """Version of an installed distribution; None when it is not installed.

        Raises:
            KeyError: It is not one of ``DISTRIBUTIONS``, whose versions are read.
        """
        return self.packages[distribution]


def read_software(root: Path, probes: Probes) -> SoftwareFacts:
    """Read what is installed.

    Args:
        root: Where ``/usr`` is found.
        probes: What is asked of the running system.
    """
    return SoftwareFacts(
        python=PythonFacts(
            platform.python_version(), probes.python, probes.machine, sys.executable, probes.prefix, probes.is_venv
        ),
        packages={name: probes.versions(name) for name in DISTRIBUTIONS},
        opencv=_opencv(probes),
        sees_tensorrt=probes.importable("tensorrt"),
        pythons_with_tensorrt=_pythons_with_tensorrt(root),
    )


def _opencv(probes: Probes) -> OpenCvFacts:
    try:
        module: ModuleType = probes.opencv()
    except MachineError as error:
        return OpenCvFacts("", (), "", error.message, error.fix)
    build = str(module.getBuildInformation())
    libraries = tuple(
        name for name in VIDEO_LIBRARIES if re.search(rf"^\s*{re.escape(name)}:\s*YES", build, re.MULTILINE)
    )
    gui = re.search(r"^\s*GUI:[ \t]*(\S+)", build, re.MULTILINE)
    return OpenCvFacts(str(module.__version__), libraries, gui[1] if gui else "")


def _pythons_with_tensorrt(root: Path) -> tuple[str, ...]:
    found = {
        path.parts[-3].removeprefix("python")
        for place in ("usr/lib", "usr/local/lib")
        for path in (root / place).glob("python3*/dist-packages/tensorrt")
    }
    return tuple(sorted(found))
