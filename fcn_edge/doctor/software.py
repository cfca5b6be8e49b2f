"""Python, packages, and what they were built with."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Callable
from importlib import metadata
from types import ModuleType

from fcn_edge.backends.registry import BACKENDS, backend
from fcn_edge.doctor.check import Check
from fcn_edge.errors import MachineError
from fcn_edge.opencv import cv2
from fcn_edge.version import __version__

__all__ = ["backends", "base", "extra", "installed_version", "opencv", "opencv_build", "python", "rivals", "video"]

OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""Distributions that all bring the module cv2 and overwrite each other."""

BASE = ("numpy", "pydantic", "click", "tqdm", "threadpoolctl")
"""Distributions that fcn_edge always needs."""

Versions = Callable[[str], "str | None"]
"""Version of an installed distribution; None when it is not installed."""


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution; None when it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def python() -> Check:
    """The interpreter and fcn_edge itself."""
    found = f"fcn_edge {__version__}, Python {platform.python_version()}, {sys.executable}"
    return Check("fcn_edge", True, found, required=True)


def base(versions: Versions) -> Check:
    """The packages that fcn_edge always needs."""
    found = {package: versions(package) for package in BASE}
    listed = ", ".join(f"{package} {version or 'is not installed'}" for package, version in found.items())
    fix = "" if all(found.values()) else "pip install fcn_edge"
    return Check("packages", not fix, listed, fix, required=True)


def extra(name: str, packages: tuple[str, ...], purpose: str, versions: Versions) -> Check:
    """Whether the packages of an extra are installed.

    Args:
        name: The extra.
        packages: Distributions that it brings.
        purpose: What does not work without them.
        versions: Looks up installed versions.
    """
    found = {package: versions(package) for package in packages}
    missing = [package for package, version in found.items() if version is None]
    listed = ", ".join(f"{package} {version or 'is not installed'}" for package, version in found.items())
    if missing:
        return Check(f"for {purpose}", False, listed, f"pip install 'fcn_edge[{name}]'")
    return Check(f"for {purpose}", True, listed)


def backends() -> list[Check]:
    """What each backend says of itself."""
    checks = []
    for name, entry in BACKENDS.items():
        probe = backend(name).probe()
        found = f"{entry.library} {probe.version}" if probe.available else probe.problem
        checks.append(Check(f"backend {name}", probe.available, found, probe.fix, required=True))
    return checks


def opencv(versions: Versions, load: Callable[[], ModuleType] = cv2) -> Check:
    """Whether OpenCV is installed, once, and loads."""
    installed = [package for package in OPENCV if versions(package)]
    try:
        version = load().__version__
    except MachineError as error:
        return Check("OpenCV", False, error.message, error.fix, required=True)
    if len(installed) > 1:
        fix = f"pip uninstall -y {' '.join(installed)} && pip install {installed[0]}"
        return Check("OpenCV", False, f"{' and '.join(installed)} overwrite each other", fix, required=True)
    return Check("OpenCV", True, f"{version}{f' ({installed[0]})' if installed else ''}", required=True)


def rivals(first: str, second: str, versions: Versions) -> Check | None:
    """A complaint when two distributions that overwrite each other are both installed; else nothing."""
    if versions(first) is None or versions(second) is None:
        return None
    fix = f"pip uninstall -y {first} {second} && pip install {first}"
    return Check(first, False, f"{first} and {second} overwrite each other", fix, required=True)


def opencv_build(load: Callable[[], ModuleType] = cv2) -> str:
    """OpenCV's build information; empty when it cannot be loaded."""
    try:
        return str(load().getBuildInformation())
    except MachineError:
        return ""


def video(build: str) -> Check:
    """Whether OpenCV reads and writes video files, and which stream libraries it has.

    Args:
        build: OpenCV's build information; empty when it cannot be loaded.
    """
    has = {
        name: re.search(rf"^\s*{re.escape(name)}:\s*YES", build, re.MULTILINE) is not None
        for name in ("FFMPEG", "GStreamer", "v4l/v4l2")
    }
    found = ", ".join(f"{'with' if there else 'without'} {name}" for name, there in has.items())
    if not (has["FFMPEG"] or has["GStreamer"]):
        fix = "pip install --force-reinstall opencv-python-headless, whose builds have FFmpeg"
        return Check("video files", False, found if build else "OpenCV does not load", fix)
    return Check("video files", True, found)
