"""The system's GStreamer, used through the system's own Python: what is there, and what brings the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fcn_edge.system.text import text_of

__all__ = [
    "APT",
    "BINDING",
    "RTSP_SERVER",
    "SYSTEM_PYTHON",
    "WATCHED",
    "WATCHED_ON_BOARDS",
    "GStreamerFacts",
    "package_of",
    "read_gstreamer",
]

SYSTEM_PYTHON = "/usr/bin/python3"
"""The Python that the binding ``gi`` is for: no package index has it as a wheel."""

BINDING = ("python3-gi", "gir1.2-gst-plugins-base-1.0")
"""Debian packages of the binding."""

APT = (
    *BINDING,
    *(f"gstreamer1.0-plugins-{kind}" for kind in ("base", "good", "bad")),
    "gstreamer1.0-libav",
)
"""Debian packages of everything that fcn_edge uses, beside a board's own."""

_BASE, _GOOD, _BAD, _LIBAV = APT[len(BINDING) :]
RTSP_SERVER = ("python3-gi", "gir1.2-gst-rtsp-server-1.0", "gir1.2-gst-plugins-base-1.0", _BASE, _GOOD)
"""Debian packages of what hosts RTSP."""

_UGLY = "gstreamer1.0-plugins-ugly"
_BOARD = "nvidia-l4t-gstreamer"

_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "appsrc": _BASE,
        "appsink": _BASE,
        "videoconvert": _BASE,
        "videotestsrc": _BASE,
        "decodebin": _BASE,
        "rtspsrc": _GOOD,
        "rtph264depay": _GOOD,
        "rtph265depay": _GOOD,
        "rtph264pay": _GOOD,
        "rtpbin": _GOOD,
        "udpsink": _GOOD,
        "rtpjpegdepay": _GOOD,
        "jpegdec": _GOOD,
        "v4l2src": _GOOD,
        "v4l2h264enc": _GOOD,
        "x264enc": _UGLY,
        "openh264enc": _BAD,
        "h264parse": _BAD,
        "h265parse": _BAD,
        "avdec_h264": _LIBAV,
        "avdec_h265": _LIBAV,
        "nvarguscamerasrc": _BOARD,
        "nvv4l2decoder": _BOARD,
        "nvv4l2h264enc": _BOARD,
        "nvvidconv": _BOARD,
    }
)

WATCHED = ("appsink", "videoconvert", "rtspsrc", "h264parse", "avdec_h264")
"""Elements whose presence is read on every machine, one or two for each package."""

WATCHED_ON_BOARDS = ("nvvidconv", "nvv4l2decoder", "nvarguscamerasrc")


@dataclass(frozen=True)
class GStreamerFacts:
    """GStreamer, as the system's Python sees it.

    Attributes:
        python: The system has a Python.
        version: Version of GStreamer, such as ``1.20.3``; empty where the binding is missing or does not load.
        missing: Those of ``WATCHED``, on a Jetson of ``WATCHED_ON_BOARDS`` as well, that are not here.
        lsmod: The program ``lsmod`` is here, which NVIDIA's plugins run.
        nvgpu: It lists the kernel module ``nvgpu``.
    """

    python: bool
    version: str
    missing: tuple[str, ...]
    lsmod: bool
    nvgpu: bool

    @property
    def packages(self) -> tuple[str, ...]:
        """Debian packages that bring what is missing."""
        if not self.version:
            return APT
        return tuple(dict.fromkeys(package for name in self.missing if (package := package_of(name))))


def package_of(element: str) -> str:
    """The Debian package that brings an element, on boards NVIDIA's; empty where that is not known."""
    return _PACKAGES.get(element, "")


def read_gstreamer(
    root: Path, probe: Callable[[], str], which: Callable[[str], str | None], on_board: bool
) -> GStreamerFacts:
    """Read what GStreamer there is.

    Args:
        root: Where ``/usr`` and ``/proc`` are found.
        probe: What ``gstreamer_probe.py`` prints in the system's Python; not asked where there is none.
        which: Path of a program; None when there is none.
        on_board: This is a Jetson.
    """
    lsmod = bool(which("lsmod"))
    # what lsmod prints is this file
    nvgpu = re.search(r"^nvgpu\b", text_of(root / "proc/modules"), re.MULTILINE) is not None
    watched = (*WATCHED, *(WATCHED_ON_BOARDS if on_board else ()))
    if not (root / SYSTEM_PYTHON.lstrip("/")).exists():
        return GStreamerFacts(False, "", watched, lsmod, nvgpu)
    try:
        told = json.loads(probe())
    except ValueError:
        told = {}
    elements = frozenset(told.get("elements", ()))
    missing = tuple(name for name in watched if name not in elements)
    return GStreamerFacts(True, str(told.get("version", "")), missing, lsmod, nvgpu)
