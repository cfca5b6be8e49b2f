"""Overlays in a video file."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import MachineError
from fcn_edge.io.files import replacing
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import ffmpeg_or_any, quiet
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink, SinkContext

__all__ = ["VIDEO_CODECS", "VideoSink"]

VIDEO_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".m4v": "mp4v", ".mkv": "mp4v", ".avi": "XVID"}
"""MPEG-4 part 2 in all of them: the one codec that every build of OpenCV can write."""

USUAL_FPS = 25.0
FASTEST_FPS = 240.0
RESERVE = 8 << 20
"""Bytes of disk that are left free, so that the file's index still fits when the disk runs full."""


class VideoSink(Sink):
    """A video of overlays, of the size of the first one.

    It is written under a temporary name and renamed when it is closed, which also happens after Ctrl-C and errors:
    the video then holds what was done until then. A file of that name that was there before stays whole until then.

    Args:
        path: The file; its suffix chooses the container.
        context: What the stream is. Without a frame rate the video plays 25 frames a second.
    """

    def __init__(self, path: Path, context: SinkContext) -> None:
        self._path = path
        self._overlay = context.overlay
        rate = context.fps
        self._fps = rate if rate is not None and 1 <= rate <= FASTEST_FPS else USUAL_FPS
        self._file = ExitStack()
        self._temporary = path
        self._writer: Any = None
        self._size = (0, 0)

    @override
    def write(self, result: Result) -> None:
        image = self._overlay(result)
        if self._writer is None:
            self._open(image.shape[0], image.shape[1])
        if shutil.disk_usage(self._path.parent).free < RESERVE:
            raise _disk_full(self._path)
        self._writer.write(_fitted(image, self._size))

    @override
    def close(self) -> None:
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        with self._file:
            writer.release()
            # OpenCV's writer reports no error of its own
            with quiet():
                written = cv2().VideoCapture(str(self._temporary.absolute()), ffmpeg_or_any())
            if not written.isOpened() or not written.read()[0]:
                raise _disk_full(self._path)
            written.release()

    def _open(self, height: int, width: int) -> None:
        self._size = _even(height, width)
        self._temporary = self._file.enter_context(replacing(self._path))
        code = cv2().VideoWriter_fourcc(*VIDEO_CODECS[self._path.suffix.lower()])
        with quiet():
            writer = cv2().VideoWriter(
                str(self._temporary.absolute()), ffmpeg_or_any(), code, self._fps, self._size[::-1]
            )
        if not writer.isOpened():
            with self._file:
                raise MachineError(
                    f"OpenCV here cannot write the video {self._path} of {height}x{width} pixels.",
                    "Give a folder for the masks, or install OpenCV with FFmpeg: pip install opencv-python.",
                )
        self._writer = writer


def _disk_full(path: Path) -> MachineError:
    return MachineError(f"The disk of {path} is full.", "Free some space, or write elsewhere.")


def _even(height: int, width: int) -> tuple[int, int]:
    """The next size up that the codec takes: it halves its color planes."""
    return height + height % 2, width + width % 2


def _fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The image in a canvas of ``size``: as it is where it fits but for an odd side, else scaled with black around."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    border = cv2().BORDER_REPLICATE
    if _even(height, width) != size:
        scale = min(size[0] / height, size[1] / width)
        height, width = max(round(height * scale), 1), max(round(width * scale), 1)
        image = cv2().resize(image, (width, height), interpolation=cv2().INTER_AREA)
        border = cv2().BORDER_CONSTANT
    canvas: NDArray[np.uint8] = cv2().copyMakeBorder(image, 0, size[0] - height, 0, size[1] - width, border)
    return canvas
