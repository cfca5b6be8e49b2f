"""Video files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import ffmpeg_or_any, quiet
from fcn_edge.runtime.sources.base import FileConnection, Picture
from fcn_edge.runtime.uri import Uri

__all__ = ["VideoConnection"]

FEWEST_MISSING = 3
SHARE_MISSING = 0.03
"""Containers announce lengths that are a little off; beyond both of these a video counts as cut off."""


class VideoConnection(FileConnection):
    """Every frame of a video file, with the time that the file gives it.

    The length is what the container announces. Where clearly fewer frames come, reading raises after the last: the
    file is cut off.

    Args:
        address: What the user called it.
        path: The file. Connecting raises SourceError when it is no video that OpenCV can read, or has no frames.
    """

    def __init__(self, address: Uri, path: Path) -> None:
        super().__init__(address)
        self._path = path
        self._capture: Any = None
        self._read = 0
        self._time: float | None = None

    @override
    def _open(self) -> None:
        with quiet():
            # absolute: FFmpeg would take the start of `a:b.mp4` for a protocol
            self._capture = cv2().VideoCapture(str(self._path.absolute()), ffmpeg_or_any())
        if not self._capture.isOpened():
            raise SourceError(
                f"{self._path} is not a video or image that OpenCV can read, or is cut off.",
                f"See what it holds with: ffprobe {self._path}",
            )
        fps = self._capture.get(cv2().CAP_PROP_FPS)
        announced = self._capture.get(cv2().CAP_PROP_FRAME_COUNT)
        self.fps = float(fps) if 0 < fps < 1000 else None
        self.length = int(announced) if 0 < announced < 1 << 40 else None
        self.files = frozenset({self._path.resolve()})

    @override
    def read_next(self) -> Picture | None:
        there, image = self._capture.read()
        if not there:
            self._check_whole()
            return None
        self._read += 1
        return Picture(image, time=self._time_of_frame())

    @override
    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
        super().close()

    def _time_of_frame(self) -> float | None:
        """Seconds of the frame just read; None where the reader does not tell: times that do not grow are none."""
        seconds = float(self._capture.get(cv2().CAP_PROP_POS_MSEC)) / 1000
        told = math.isfinite(seconds) and seconds >= 0 and (self._time is None or seconds > self._time)
        if not told:
            return None
        self._time = seconds
        return seconds

    def _check_whole(self) -> None:
        if self.length is None or self.fps is None:
            return
        # containers without a count announce seconds x a guess of the frame rate, so that the count alone may be
        # wrong by any factor; the time that was reached is then right
        slack = max(FEWEST_MISSING, SHARE_MISSING * self.length)
        reached = (self._time or 0.0) * self.fps + 1
        if max(self._read, reached) < self.length - slack:
            raise SourceError(
                f"{self._path} ends after {self._read} of {self.length} frames: the file is cut off or damaged.",
                "Copy it again; the frames before were processed.",
            )
