"""Cameras and display."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from fcn_edge.doctor.check import Check
from fcn_edge.system.text import text_of

__all__ = ["cameras", "display"]


def cameras(root: Path) -> Check:
    """Video devices that can be a SOURCE."""
    found, closed = [], []
    for path in sorted((root / "dev").glob("video[0-9]*"), key=lambda path: int(path.name.removeprefix("video"))):
        name = text_of(root / "sys/class/video4linux" / path.name / "name").strip()
        found.append(f"/dev/{path.name}{f' ({name})' if name else ''}")
        if not os.access(path, os.R_OK | os.W_OK):
            closed.append(f"/dev/{path.name}")
    if not found:
        fix = "Plug in a camera, or give a file or synthetic://street as SOURCE."
        return Check("cameras", False, "none in /dev/video*", fix)
    if closed:
        fix = 'sudo usermod -aG video "$USER", then log in again'
        return Check("cameras", False, f"{', '.join(found)}; {', '.join(closed)} may not be opened", fix)
    return Check("cameras", True, ", ".join(found))


def display(environ: Mapping[str, str], opencv_build: str) -> Check:
    """A screen, and an OpenCV that can open windows on it.

    Args:
        environ: The environment.
        opencv_build: OpenCV's build information; empty when it cannot be loaded.
    """
    name = "display"
    where = next((key for key in ("WAYLAND_DISPLAY", "DISPLAY") if environ.get(key)), None)
    if where is None:
        fix = "Run at the machine's own screen or with ssh -X, or write to a file instead of the SINK display."
        return Check(name, False, "neither DISPLAY nor WAYLAND_DISPLAY is set", fix)
    if re.search(r"^\s*GUI:\s*NONE", opencv_build, re.MULTILINE):
        fix = "pip uninstall -y opencv-python-headless && pip install opencv-python"
        return Check(name, False, f"{where}={environ[where]}, and this OpenCV opens no windows", fix)
    return Check(name, True, f"{where}={environ[where]}")
