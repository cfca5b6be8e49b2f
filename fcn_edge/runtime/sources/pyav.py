"""Video decoded with PyAV (FFmpeg): from a file, or from anything that can be read.

Pixels are those of OpenCV's reader to the last bit: both leave the conversion to FFmpeg's swscale, with the same filter
and the color matrix and range that the frame tells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import SourceError, needed_for
from fcn_edge.runtime.sources.bgr import BgrConverter
from fcn_edge.runtime.sources.demuxing import packets_of
from fcn_edge.runtime.sources.ffmpeg_limits import DECODER_LIMITS, LIMITS, LONGEST_SIDE, too_large
from fcn_edge.runtime.sources.times import TimesAfterFirst

__all__ = ["ByteStream", "PyAvReader", "has_pyav"]

_DURATION = re.compile(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")

NEARLY_EVEN = 1.05
"""Times above the mean rate that are no unevenness: containers round."""
FASTEST_PEAK = 240.0
"""Beyond it the rate is the clock's rather than the camera's."""

LOST_IN_A_ROW = 100
"""Reads that may fail one after the other before a video counts as ended: each skips something, perhaps too little."""


def has_pyav() -> bool:
    """PyAV is installed, which the extra ``[streams]`` brings."""
    return find_spec("av") is not None


class ByteStream(Protocol):
    """What FFmpeg reads from; with a ``seek`` and ``tell`` of which ``seekable`` says whether they work."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, waiting for the first of them; none at the end."""


class PyAvReader:
    """The best video stream of a file or byte stream, frame by frame in the order of presentation.

    Opens no address, no other file and no playlist. What cannot be decoded is skipped and counted.

    Args:
        file: The file, or what its bytes come from.
        shown: What messages call it.
        fix: What to do where it is no video.
        stopped: Asked between packets; the video ends when it says True.

    Attributes:
        fps: Frames a second by the container; None where it does not say.
        peak_fps: Frames a second where they come fastest; None where the rate is even, or nobody knows.
        length: Frames, as far as the container tells; None when it does not.
        damaged: Packets that could not be read or decoded so far, and pictures of which parts are missing.
        reached: Seconds on the container's own clock that the pictures so far have reached.
        broke_off: Reading ended with an error, or within a packet.
        damaged_end: What followed the last picture so far could not be decoded.

    Raises:
        SourceError: It is no video that FFmpeg can read here.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(
        self, file: Path | ByteStream, shown: str, fix: str = "", stopped: Callable[[], bool] = lambda: False
    ) -> None:
        with needed_for("Reading streams"):
            import av
        self.damaged = 0
        self.reached = 0.0
        self.broke_off = self.damaged_end = False
        self._stopped = stopped
        # MemoryError also where a damaged header asks for more than there is
        self._errors = (av.FFmpegError, ValueError, ArithmeticError, MemoryError)
        # absolute: FFmpeg would take the start of `a:b.mp4` for a protocol
        opened = str(file.absolute()) if isinstance(file, Path) else file
        # titles in any bytes; PyAV 19 takes them all without being told
        lenient: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
        try:
            self._container = av.open(opened, "r", options=LIMITS, buffer_size=1 << 16, **lenient)
        except self._errors:
            raise _unreadable(shown, fix) from None
        try:
            stream: Any = self._container.streams.best("video")
            if stream is None or stream.codec_context is None:
                raise _unreadable(shown, fix)
            if max(stream.codec_context.width, stream.codec_context.height) > LONGEST_SIDE:
                raise too_large(shown)
            stream.codec_context.options = DECODER_LIMITS
            stream.thread_type = "AUTO"
            # of a variable rate this is the mean, with which a count of frames and an output at one rate are right
            rate = stream.average_rate or stream.guessed_rate
            fps = rate.numerator / rate.denominator if rate is not None and rate.denominator else 0.0
            self.fps = fps if 0 < fps < 1000 else None
            self.peak_fps = _peak_fps(stream.base_rate, fps)
            self.length = self._announced(stream)
        except self._errors:
            self._container.close()
            raise _unreadable(shown, fix) from None
        except BaseException:
            self._container.close()
            raise
        self._stream: Any = stream
        self._convert = BgrConverter()
        self._times = TimesAfterFirst()
        self._images = self._decoded()

    def read(self) -> tuple[NDArray[np.uint8], float | None] | None:
        """The next picture, ``(H, W, 3)`` uint8 BGR, and its time in seconds after the first; None at the end.

        The time is None where the file does not tell, or where times do not grow.
        """
        return next(self._images, None)

    def close(self) -> None:
        """Give the file back."""
        self._images.close()
        self._container.close()

    def _announced(self, stream: Any) -> int | None:
        length = stream.frames
        seconds = _own_seconds(stream) or (self._container.duration or 0) / 1e6
        guess = int(seconds * self.fps + 0.5) if self.fps is not None else 0
        # of a trimmed MP4 the count is that of all frames in it, and the duration that of those that are shown
        if guess and (not length or (guess < length and "mp4" in self._container.format.name)):
            length = guess
        return length if 0 < length < 1 << 40 else None

    def _decoded(self) -> Generator[tuple[NDArray[np.uint8], float | None], None, None]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except self._errors:
                self.damaged += 1
                self.damaged_end = True
                continue
            for frame in frames:
                try:
                    image = self._convert(frame)
                except self._errors:
                    self.damaged += 1
                    self.damaged_end = True
                    continue
                self.damaged += bool(frame.is_corrupt)
                self.damaged_end = False
                stamp = self._stamp(frame)
                self.reached = self.reached if stamp is None else max(self.reached, stamp)
                yield image, self._times(stamp)

    def _packets(self) -> Iterator[Any]:
        """Packets, the empty one at the end too, which makes the decoder give out what it still holds."""
        failed = 0
        while not self._stopped():
            try:
                for packet in packets_of(self._container, self._stream):
                    if packet.size:
                        self.damaged += failed > 0  # it went on, so that this was no end
                        failed = 0
                        self.broke_off = bool(packet.is_corrupt)  # of the last one: the file ends within it
                    yield packet
                    if self._stopped():
                        return
                return
            except self._errors:  # noqa: PERF203 (once per failure, not per packet)
                failed += 1
                if failed > LOST_IN_A_ROW:
                    self.broke_off = True
                    break
        if not self._stopped():
            yield _Flush(self._stream)

    def _stamp(self, frame: Any) -> float | None:
        """Seconds by the container's clock; containers without time stamps for pictures have those of packets."""
        seconds = frame.time
        if seconds is None and frame.dts is not None:
            base = self._stream.time_base
            seconds = frame.dts * base.numerator / base.denominator
        return None if seconds is None else float(seconds)


class _Flush:
    """Stands for the empty packet where reading broke off."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def decode(self) -> list[Any]:
        frames: list[Any] = self._stream.codec_context.decode(None)
        return frames


def _peak_fps(base: Fraction | None, mean: float) -> float | None:
    """The rate of which all times are multiples, as FFmpeg found it, where frames come unevenly.

    Twice the mean it is of even ones too, whose pictures are of two fields.
    """
    peak = 0.0 if base is None or not base.denominator else base.numerator / base.denominator
    uneven = NEARLY_EVEN * mean < peak and not math.isclose(peak, 2 * mean, rel_tol=NEARLY_EVEN - 1)
    return peak if uneven and peak <= FASTEST_PEAK else None


def _own_seconds(stream: Any) -> float | None:
    """How long a stream itself is, where the container tells: the whole may be longer, by its sound."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    told = _DURATION.fullmatch(stream.metadata.get("DURATION", ""))  # Matroska's
    return None if told is None else 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3])


def _unreadable(shown: str, fix: str) -> SourceError:
    return SourceError(f"{shown} is not a video or image that FFmpeg can read, or is cut off.", fix)
