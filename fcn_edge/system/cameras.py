"""The video devices of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.system.text import text_of

__all__ = ["CameraFacts", "read_cameras"]

_CLASS = "sys/class/video4linux"


@dataclass(frozen=True)
class CameraFacts:
    """A video device.

    Attributes:
        device: Its device file, such as ``/dev/video0``.
        name: What it calls itself, such as ``HD Pro Webcam C920``; empty where the system does not tell.
        exists: The device file is there; in a container it may not be.
        may_open: This user may read and write the device file.
    """

    device: str
    name: str
    exists: bool
    may_open: bool

    @property
    def is_csi(self) -> bool:
        """Whether it is on a Jetson's camera connector, where only GStreamer reaches it."""
        return self.name.startswith("vi-output")


def read_cameras(root: Path) -> tuple[CameraFacts, ...]:
    """Read which video devices there are, in the order of their numbers.

    Args:
        root: Where ``/dev`` and ``/sys`` are found.
    """
    numbers = {
        int(number)
        for folder in (root / "dev", root / _CLASS)
        for path in folder.glob("video[0-9]*")
        if (number := path.name.removeprefix("video")).isdecimal()
    }
    return tuple(_camera(root, f"video{number}") for number in sorted(numbers))


def _camera(root: Path, name: str) -> CameraFacts:
    path = root / "dev" / name
    exists = path.exists()
    may_open = exists and os.access(path, os.R_OK | os.W_OK)
    return CameraFacts(f"/dev/{name}", text_of(root / _CLASS / name / "name").strip(), exists, may_open)
