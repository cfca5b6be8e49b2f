"""A frame of a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.frame_buffer import FrameBuffer

__all__ = ["Frame"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a source.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR, in host memory or a ``FrameBuffer``; ``host_frame`` makes an array of either.
        index: Position in the source, from 0; a live source counts the frames that were skipped too.
        captured_ns: ``time.monotonic_ns()`` when the kernel or the library that reads the source had the frame, before
            anybody waited for it; what latencies are counted from.
        name: What files made from this frame are called, without a suffix.
        labels: ``(H, W)`` uint8 true classes of a rendered frame; None where nobody knows them.
        source: Id of the source: its address without the password.
        captured_unix_ns: Nanoseconds of Unix time at the capture. A replay gives that of the recording.
        camera_time_ns: Nanoseconds of Unix time at the capture by the camera's own clock, which may be wrong by any
            amount; None where it does not tell.
        time: Seconds in the source, by the source's own time stamps: 0 for the first frame of a video. None where the
            source has none, as with a folder of images or a camera.
        live: It is of a live source: an old one is worthless.
    """

    image: NDArray[np.uint8] | FrameBuffer
    index: int
    captured_ns: int
    name: str
    labels: NDArray[np.uint8] | None = None
    source: str = ""
    captured_unix_ns: int = 0
    time: float | None = None
    camera_time_ns: int | None = None
    live: bool = False

    def is_older(self, age_ns: int | None, now_ns: int) -> bool:
        """Whether its capture is longer ago.

        Args:
            age_ns: Nanoseconds; None for any age.
            now_ns: Now, by ``time.monotonic_ns()``.
        """
        return age_ns is not None and now_ns - self.captured_ns > age_ns
