"""MPEG-4 part 2 by OpenCV, where there is no H.264 encoder: the one codec that every build of OpenCV can write."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.io.files import replacing
from fcn_edge.io.native_paths import native_path
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import ffmpeg_or_any, quiet
from fcn_edge.runtime.sinks.even_rate import EvenRate
from fcn_edge.runtime.sinks.video_writer import VideoTarget, VideoWriter, disk_full

__all__ = ["Mpeg4Writer"]

RESERVE = 8 << 20
"""Bytes of disk that are left free, so that the file's index still fits when the disk runs full."""


class Mpeg4Writer(VideoWriter):
    """A video of ``fps`` frames a second: OpenCV takes no times.

    A frame is shown again until the next one's time comes; what comes faster for longer is left out (``EvenRate``). The
    same picture again costs about as much as any other: 160 MB an hour at 640x480, 570 MB at 1920x1080, at 25 frames a
    second.

    It is useless when it is cut off, so that it has a temporary name until it is closed, which also happens after
    Ctrl-C and errors. What is killed leaves nothing.

    Args:
        target: The file to make.

    Raises:
        UsageError: Its name is not UTF-8.
        MachineError: This build of OpenCV cannot write it.
    """

    def __init__(self, target: VideoTarget) -> None:
        self._target = target
        self._file = ExitStack()
        native_path(target.path, UsageError)
        self._temporary = self._file.enter_context(replacing(target.path))
        code = cv2().VideoWriter_fourcc(*("XVID" if target.path.suffix.lower() == ".avi" else "mp4v"))
        with quiet():
            writer = cv2().VideoWriter(
                str(self._temporary.absolute()), ffmpeg_or_any(), code, target.fps, target.size[::-1]
            )
        if not writer.isOpened():
            with self._file:
                raise MachineError(
                    f"OpenCV here cannot write the video {target.path} of {target.size[0]}x{target.size[1]} pixels.",
                    "Give a folder for the masks, or install PyAV: pip install 'fcn_edge[streams]'.",
                )
        self._writer: Any = writer
        self._slots = EvenRate(Fraction(target.fps))
        self._written = 0
        self._shown: NDArray[np.uint8] | None = None

    @override
    def write(self, image: NDArray[np.uint8], time_ns: int, again: bool = False) -> None:
        if shutil.disk_usage(self._target.path.parent).free < RESERVE:
            raise disk_full(self._target.path)
        slot = self._slots.slot_of(time_ns)
        if slot is None:
            return
        before = self.bytes
        while self._shown is not None and self._written < slot:
            self._writer.write(self._shown)
            self._written += 1
        self._writer.write(image)
        self._written, self._shown = slot + 1, image
        self._target.make_room(self.bytes - before)  # OpenCV does not tell before

    @property
    @override
    def bytes(self) -> int:
        return self._temporary.stat().st_size

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
                raise disk_full(self._target.path)
            written.release()
