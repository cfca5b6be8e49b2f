"""Video files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import ffmpeg_or_any, quiet
from fcn_edge.runtime.sources.base import FileSource, Picture

__all__ = ["VideoSource"]

FEWEST_MISSING = 3
SHARE_MISSING = 0.03
"""Containers announce lengths that are a little off; beyond both of these a video counts as cut off."""


class VideoSource(FileSource):
    """Every frame of a video file.

    The length is what the container announces. Where clearly fewer frames come, the source raises after the last:
    the file is cut off.

    Args:
        path: The file.
        uri: What the user called it.

    Raises:
        SourceError: It is no video that OpenCV can read, or it has no frames.
    """

    def __init__(self, path: Path, uri: str) -> None:
        with quiet():
            # absolute: FFmpeg would take the start of `a:b.mp4` for a protocol
            self._capture: Any = cv2().VideoCapture(str(path.absolute()), ffmpeg_or_any())
        if not self._capture.isOpened():
            raise SourceError(
                f"{path} is not a video or image that OpenCV can read, or is cut off.",
                f"See what it holds with: ffprobe {path}",
            )
        fps = self._capture.get(cv2().CAP_PROP_FPS)
        announced = self._capture.get(cv2().CAP_PROP_FRAME_COUNT)
        self._path = path
        self._read = 0
        self._rate = float(fps) if 0 < fps < 1000 else None
        self._announced = int(announced) if 0 < announced < 1 << 40 else None
        super().__init__(uri, fps=self._rate, length=self._announced)
        self.files = frozenset({path.resolve()})

    @override
    def read_next(self) -> Picture | None:
        there, image = self._capture.read()
        if not there:
            self._check_whole()
            return None
        self._read += 1
        return Picture(image)

    @override
    def close(self) -> None:
        self._capture.release()

    def _check_whole(self) -> None:
        if self._announced is None or self._rate is None:
            return
        # containers without a count announce seconds x a guess of the frame rate, so that the count alone may be
        # wrong by any factor; the time that was reached is then right
        slack = max(FEWEST_MISSING, SHARE_MISSING * self._announced)
        reached = self._capture.get(cv2().CAP_PROP_POS_MSEC) / 1000 * self._rate + 1
        if max(self._read, reached) < self._announced - slack:
            raise SourceError(
                f"{self._path} ends after {self._read} of {self._announced} frames: the file is cut off or damaged.",
                "Copy it again; the frames before were processed.",
            )
