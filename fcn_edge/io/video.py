"""OpenCV's video readers and writers, without their own words on standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fcn_edge.io.opencv import cv2

__all__ = ["ffmpeg_or_any", "quiet"]

_SILENT = 0


@contextmanager
def quiet() -> Iterator[None]:
    """OpenCV and FFmpeg say nothing while the block runs: our errors say it in one sentence."""
    # FFmpeg's level is read once, when OpenCV first uses it; -8 is AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # OpenCV 5 moved it
    set_level = cv2().setLogLevel if hasattr(cv2(), "setLogLevel") else cv2().utils.logging.setLogLevel
    before = set_level(_SILENT)
    try:
        yield
    finally:
        set_level(before)


def ffmpeg_or_any() -> int:
    """OpenCV's FFmpeg reader and writer where it is built in, else whatever is (GStreamer on some boards).

    Asked by name, because the others take file names with digits or ``%`` for patterns of image names.
    """
    ffmpeg: int = cv2().CAP_FFMPEG
    return ffmpeg if cv2().videoio_registry.hasBackend(ffmpeg) else int(cv2().CAP_ANY)
