"""Pictures into access units of H.264, for whoever sends them on as they come: pages, RTSP, other programs."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import FcnEdgeError, needed_for
from fcn_edge.io.closeable import Closeable
from fcn_edge.io.opencv import cv2
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.encoders.base import Encoder, EncoderError, VideoBegin
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.video_writer import even, fitted

__all__ = ["TICKS", "AccessUnit", "UnitEncoder"]

TICKS = 90_000
"""Units of the times of access units in a second."""
KEYFRAME_EVERY = TICKS
"""Ticks between keyframes: how long who joins waits for a picture, at most."""


@dataclass(frozen=True, eq=False)
class AccessUnit:
    """One coded picture.

    Attributes:
        data: H.264 in Annex B; a keyframe begins with its parameter sets.
        ticks: When it is shown, in units of 1/90000 s; greater than that of the unit before.
        keyframe: It needs no other.
        size: ``(height, width)`` of the picture.
    """

    data: bytes
    ticks: int
    keyframe: bool
    size: Size


class UnitEncoder(Closeable):
    """Pictures into access units, with a keyframe every second. For one thread.

    The stream has the size of the first picture; others are fitted in. Where the encoder fails that has a spare one,
    that one goes on, with a keyframe.

    Args:
        choice: What encodes.
        fps: Pictures a second, as far as anybody knows.

    Attributes:
        ticks: When the newest picture is shown, in units of 1/90000 s; -1 before the first.

    Raises:
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, choice: Choice, fps: float) -> None:
        with needed_for("Streaming H.264"):
            import av
        self._open = av.open
        self._spare = choice.spare
        self._rate = Fraction(fps).limit_denominator(1001)
        self._encoder: Encoder = choice.make()
        self._container: Any = None
        self._size: Size | None = None
        self._key_ticks: int | None = None
        self.ticks = -1

    @property
    def name(self) -> str:
        """What encodes now."""
        return self._encoder.name

    def begin_group(self) -> None:
        """Make the next picture a keyframe."""
        self._key_ticks = None

    def encode(self, image: NDArray[np.uint8], time_ns: int) -> list[AccessUnit]:
        """Take a picture, and give what is ready.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            time_ns: When it is shown, in nanoseconds of any clock that begins near 0.

        Raises:
            EncoderError: It cannot go on, and there is no other.
        """
        try:
            return self._encode(image, time_ns)
        except EncoderError:
            if self._spare is None:
                raise
            self._end()
            self._encoder, self._spare = self._spare(), None
            self._key_ticks = None
            return self._encode(image, time_ns)

    @override
    def close(self) -> None:
        self._end()

    def _encode(self, image: NDArray[np.uint8], time_ns: int) -> list[AccessUnit]:
        if self._size is None:
            self._size = even(*image.shape[:2])
        if self._container is None:
            # a raw stream: parameter sets are in it, before each keyframe
            self._container = self._open(_Nowhere(), "w", format="h264")
            self._encoder.begin(VideoBegin(self._container, self._size, self._rate, Fraction(1, TICKS)))
        ticks = self.ticks = max(round(time_ns * TICKS / NS_PER_S), self.ticks + 1)
        keyframe = self._key_ticks is None or ticks - self._key_ticks >= KEYFRAME_EVERY
        if keyframe:
            self._key_ticks = ticks
        planes: NDArray[np.uint8] = cv2().cvtColor(fitted(image, self._size), cv2().COLOR_BGR2YUV_I420)
        packets = self._encoder.encode(planes, ticks, keyframe)
        return [AccessUnit(bytes(one), one.pts or 0, bool(one.is_keyframe), self._size) for one in packets]

    def _end(self) -> None:
        with suppress(FcnEdgeError):
            self._encoder.close()
        container, self._container = self._container, None
        if container is not None:
            with suppress(Exception):
                container.close()


class _Nowhere(io.RawIOBase):
    """Takes what the container writes, which nobody needs."""

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any) -> int:
        return len(data)

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return 0

    @override
    def tell(self) -> int:
        return 0
