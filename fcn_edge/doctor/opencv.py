"""OpenCV: is it whole, and what was it built with?"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from fcn_edge.doctor.check import Check
from fcn_edge.errors import MachineError
from fcn_edge.io.opencv import cv2
from fcn_edge.system.probes import Versions
from fcn_edge.system.text import text_of

__all__ = ["gstreamer", "opencv", "opencv_build", "video"]

OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
"""Distributions that all bring the module cv2 and overwrite each other."""


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
    has = {name: _has(build, name) for name in ("FFMPEG", "GStreamer", "v4l/v4l2")}
    found = ", ".join(f"{'with' if there else 'without'} {name}" for name, there in has.items())
    if not (has["FFMPEG"] or has["GStreamer"]):
        fix = "pip install --force-reinstall opencv-python-headless, whose builds have FFmpeg"
        return Check("video files", False, found if build else "OpenCV does not load", fix)
    return Check("video files", True, found)


def gstreamer(root: Path, build: str) -> Check | None:
    """Whether OpenCV on a Jetson has GStreamer, the only way to a CSI camera; None when it has.

    Args:
        root: Where ``/sys`` is found.
        build: OpenCV's build information; empty when it cannot be loaded.
    """
    if not build or _has(build, "GStreamer"):
        return None
    cameras = [path.parent.name for path in (root / "sys/class/video4linux").glob("*/name") if _is_csi(path)]
    found = "OpenCV is built without it, as all wheels on PyPI are"
    if not cameras:
        return Check("GStreamer", True, f"{found}; only CSI cameras need it")
    fix = (
        f"pip uninstall -y {' '.join(OPENCV)} && pip install 'numpy<2' && sudo apt-get install python3-opencv, in an "
        "environment made with python3 -m venv --system-site-packages"
    )
    return Check("GStreamer", False, f"{found}; the CSI camera {', '.join(sorted(cameras))} needs it", fix)


def _is_csi(name: Path) -> bool:
    return text_of(name).startswith("vi-output")


def _has(build: str, library: str) -> bool:
    return re.search(rf"^\s*{re.escape(library)}:\s*YES", build, re.MULTILINE) is not None
