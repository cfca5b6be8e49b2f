"""Decoded pictures of PyAV to images, with the pixels of OpenCV's reader to the last bit.

Both leave the conversion to FFmpeg's swscale, with the same filter and the color matrix and range that the frame tells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import needed_for
from fcn_edge.io.opencv import cv2
from fcn_edge.runtime.sources.ffmpeg_limits import LONGEST_SIDE, MOST_PIXELS

__all__ = ["BgrConverter"]


class BgrConverter:
    """Frames of PyAV to ``(H, W, 3)`` uint8 BGR, upright. For one thread; frames may change their size and format.

    One for each stream, kept: each new one of swscale's contexts takes megabytes.
    """

    def __init__(self) -> None:
        with needed_for("Reading streams"):
            from av.video.reformatter import Interpolation, VideoReformatter
        self._reformatter = VideoReformatter()
        self._filter = Interpolation.BICUBIC

    def __call__(self, frame: Any) -> NDArray[np.uint8]:
        """Pixels of a ``VideoFrame``, turned by its rotation, in memory that nobody else uses.

        Raises:
            av.FFmpegError: It is damaged.
            ValueError: It is too large (``LONGEST_SIDE``, ``MOST_PIXELS``).
        """
        if max(frame.width, frame.height) > LONGEST_SIDE or frame.width * frame.height > MOST_PIXELS:
            raise ValueError(f"{frame.height}x{frame.width} pixels are too many")
        # one thread, as in OpenCV: more take processor time from the network. The copy costs less than new pages for
        # every frame: the memory of the converted one is used again at once
        bgr = self._reformatter.reformat(frame, format="bgr24", interpolation=self._filter, threads=1)
        # widths that are no multiple of FFmpeg's alignment come with a gap behind each row
        image = np.ascontiguousarray(bgr.to_ndarray(), np.uint8)
        return _upright(image, frame.rotation)


def _upright(image: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """An image turned counterclockwise by a multiple of 90 degrees; by others, none."""
    turns = {90: cv2().ROTATE_90_COUNTERCLOCKWISE, 180: cv2().ROTATE_180, 270: cv2().ROTATE_90_CLOCKWISE}
    turn = turns.get(degrees % 360)
    if turn is None:
        return image
    turned: NDArray[np.uint8] = cv2().rotate(image, turn)
    return turned
