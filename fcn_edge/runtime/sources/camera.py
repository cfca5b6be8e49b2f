"""Cameras that the operating system shows as a device, such as USB cameras."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import SourceError
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import quiet
from fcn_edge.runtime.sources.base import Picture, Source

__all__ = ["CameraSource"]


class CameraSource(Source):
    """A camera, by V4L2 on Linux. Live: a slow reader gets the newest frame.

    Args:
        device: Its number, or the path of its device.
        uri: What the user called it.
        size: ``(height, width)`` to ask the camera for; it takes the nearest that it has.
        fps: Frames a second to ask for.

    Raises:
        SourceError: It is absent, busy, may not be used, or gives no frame.
    """

    live = True

    def __init__(self, device: str, uri: str, size: Size | None = None, fps: float | None = None) -> None:
        self._device = f"/dev/video{device}" if device.isdecimal() else device
        self._capture = self._opened(device)
        if size is not None:
            # most USB cameras reach large sizes at full rate only with compressed frames
            self._capture.set(cv2().CAP_PROP_FOURCC, cv2().VideoWriter_fourcc(*"MJPG"))
            self._capture.set(cv2().CAP_PROP_FRAME_HEIGHT, size[0])
            self._capture.set(cv2().CAP_PROP_FRAME_WIDTH, size[1])
        if fps is not None:
            self._capture.set(cv2().CAP_PROP_FPS, fps)
        self._capture.set(cv2().CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not one that waited
        there, image = self._capture.read()
        if not there:
            self.close()
            raise SourceError(
                f"The camera {self._device} was opened and gives no frame.",
                f"Another program may hold it (fuser -v {self._device}), or the cable or size is wrong.",
            )
        rate = self._capture.get(cv2().CAP_PROP_FPS)
        super().__init__(uri, fps=float(rate) if 0 < rate < 1000 else None, size=image.shape[:2])

    @override
    def read(self) -> Picture:
        there, image = self._capture.read()
        if not there:
            raise SourceError(f"The camera {self._device} was lost: it gives no more frames.", "Check the cable.")
        return Picture(image)

    @override
    def close(self) -> None:
        self._capture.release()

    def _opened(self, device: str) -> Any:
        if sys.platform.startswith("linux"):
            self._check_device(Path(self._device))
            with quiet():
                capture = cv2().VideoCapture(self._device, cv2().CAP_V4L2)
        else:
            with quiet():
                capture = cv2().VideoCapture(int(device) if device.isdecimal() else device)
        if not capture.isOpened():
            raise SourceError(
                f"The camera {self._device} could not be opened: it is in use, or is no capture device.",
                f"See who uses it with: fuser -v {self._device}. Many cameras have two devices; try the other.",
            )
        return capture

    @staticmethod
    def _check_device(path: Path) -> None:
        if not path.exists():
            here = ", ".join(sorted(str(other) for other in Path("/dev").glob("video*")))
            raise SourceError(f"There is no camera {path}.", f"Cameras here: {here or 'none'}.")
        if not os.access(path, os.R_OK | os.W_OK):
            raise SourceError(
                f"The camera {path} may not be used by this account.",
                "Join its group with: sudo usermod -aG video $USER, then log in again.",
            )
