"""What is asked of the running system rather than of its files."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from fcn_edge.io.opencv import cv2
from fcn_edge.system import gstreamer_probe
from fcn_edge.system.cuda_driver import Driver, loaded_driver
from fcn_edge.system.gstreamer import SYSTEM_PYTHON

__all__ = ["Probes", "Versions", "installed_version"]

Versions = Callable[[str], "str | None"]
"""Version of an installed distribution; None when it is not installed."""


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution; None when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def importable(module: str) -> bool:
    """Whether Python finds a module; it is not imported."""
    return find_spec(module) is not None


def nvpmodel() -> str:
    """What ``nvpmodel -q`` prints; empty where it cannot be asked."""
    try:
        asked = subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout


def gstreamer() -> str:
    """What ``gstreamer_probe.py`` prints in the system's Python; empty where it cannot be asked."""
    program = Path(gstreamer_probe.__file__)
    command = [SYSTEM_PYTHON, "-I", str(program)]
    try:
        # on its first start GStreamer looks through all its plugins
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout


def identity() -> tuple[int, frozenset[int]]:
    """Number of this process's user, and the numbers of its groups."""
    return os.geteuid(), frozenset((*os.getgroups(), os.getegid()))


@dataclass(frozen=True)
class Probes:
    """Everything that is asked, so that another machine can be played.

    Attributes:
        versions: Version of an installed distribution; None when it is not installed.
        importable: Whether Python finds a module.
        driver: What the driver library says.
        which: Path of a program; None when there is none.
        nvpmodel: What ``nvpmodel -q`` prints.
        gstreamer: What ``gstreamer_probe.py`` prints in the system's Python.
        identity: Number of this process's user, and the numbers of its groups.
        opencv: Loads the module ``cv2``; raises MachineError where it cannot.
        environ: The environment variables.
        prefix: Where the environment of this Python is.
        is_venv: It is a virtual environment.
        python: Major and minor version of this Python.
        machine: Processor that this Python is for, such as ``aarch64``.
    """

    versions: Versions = installed_version
    importable: Callable[[str], bool] = importable
    driver: Callable[[], Driver] = loaded_driver
    which: Callable[[str], str | None] = shutil.which
    nvpmodel: Callable[[], str] = nvpmodel
    gstreamer: Callable[[], str] = gstreamer
    identity: Callable[[], tuple[int, frozenset[int]]] = identity
    opencv: Callable[[], ModuleType] = cv2
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    is_venv: bool = field(default_factory=lambda: sys.prefix != sys.base_prefix)
    python: tuple[int, int] = field(default_factory=lambda: sys.version_info[:2])
    machine: str = field(default_factory=platform.machine)
