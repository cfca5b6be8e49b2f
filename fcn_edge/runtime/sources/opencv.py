"""Video files decoded with OpenCV, where PyAV is not installed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import SourceError
from fcn_edge.io.native_paths import native_path
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import ffmpeg_or_any, quiet
from fcn_edge.runtime.sources.ffmpeg_limits import LIMITS, LONGEST_SIDE, MOST_PIXELS, too_large
from fcn_edge.runtime.sources.times import TimesAfterFirst
from fcn_edge.text import quoted

__all__ = ["OpenCvReader"]

OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""Variable from which OpenCV takes FFmpeg's options whenever it opens something; it has no other way."""

_one_at_a_time = threading.Lock()


class OpenCvReader:
    """Every frame of a video file, upright. OpenCV skips what it cannot decode and does not tell.

    Where the size changes midway it scales the frames to the first one's.

    Args:
        path: The file. Playlists are not opened.
        shown: What messages call it.

    Attributes:
        fps: Frames a second by the container; None where it does not say.
        peak_fps: None: OpenCV does not tell.
        length: Frames, as far as the container tells; None when it does not.
        damaged: 0: OpenCV does not tell.
        reached: Seconds in the file that the pictures so far have reached.
        broke_off: False, and so is ``damaged_end``: OpenCV does not tell.

    Raises:
        SourceError: It is no video that OpenCV can read.
    """

    damaged = 0
    peak_fps: float | None = None
    broke_off = damaged_end = False

    def __init__(self, path: Path, shown: str) -> None:
        with quiet(), _limited():
            self._capture: Any = cv2().VideoCapture(native_path(path, SourceError), ffmpeg_or_any())
        if not self._capture.isOpened():
            raise SourceError(
                f"{shown} is not a video or image that OpenCV can read, or is cut off.",
                f"See what it holds with: ffprobe {quoted(path)}",
            )
        width, height = (self._capture.get(side) for side in (cv2().CAP_PROP_FRAME_WIDTH, cv2().CAP_PROP_FRAME_HEIGHT))
        if not (width <= LONGEST_SIDE >= height and width * height <= MOST_PIXELS):
            self._capture.release()
            raise too_large(shown)
        fps = self._capture.get(cv2().CAP_PROP_FPS)
        announced = self._capture.get(cv2().CAP_PROP_FRAME_COUNT)
        self.fps = float(fps) if 0 < fps < 1000 else None
        self.length = int(announced) if 0 < announced < 1 << 40 else None
        self.reached = 0.0
        self._times = TimesAfterFirst()

    def read(self) -> tuple[NDArray[np.uint8], float | None] | None:
        """The next picture, ``(H, W, 3)`` uint8 BGR, and its time in seconds after the first; None at the end.

        The time is None where the file does not tell, or where times do not grow.
        """
        there, image = self._capture.read()
        if not there:
            return None
        stamp = float(self._capture.get(cv2().CAP_PROP_POS_MSEC)) / 1000
        self.reached = max(self.reached, stamp)
        return image, self._times(stamp)

    def close(self) -> None:
        """Give the file back."""
        self._capture.release()


@contextmanager
def _limited() -> Iterator[None]:
    """What OpenCV's FFmpeg opens in this block is a file and no playlist."""
    with _one_at_a_time:
        before = os.environ.get(OPTIONS)
        ours = "|".join(f"{key};{value}" for key, value in LIMITS.items())
        os.environ[OPTIONS] = f"{before}|{ours}" if before else ours
        try:
            yield
        finally:
            if before is None:
                del os.environ[OPTIONS]
            else:
                os.environ[OPTIONS] = before
