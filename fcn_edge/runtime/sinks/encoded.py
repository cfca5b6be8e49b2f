"""Video of any encoder, in files of PyAV that play up to the last second or two, however their writer ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import MachineError, needed_for
from fcn_edge.io.opencv import cv2
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.encoders.base import Encoder, EncoderError, VideoBegin
from fcn_edge.runtime.sinks.even_rate import EvenRate
from fcn_edge.runtime.sinks.video_file import VideoFile
from fcn_edge.runtime.sinks.video_writer import VideoTarget, VideoWriter, disk_full, write_fault

if TYPE_CHECKING:
    from av import Packet

__all__ = ["AVI", "CONTAINERS", "WEBM", "EncodedWriter"]

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".avi": "avi", ".webm": "webm"}
"""FFmpeg's names of the containers, by suffix."""
AVI, WEBM = ".avi", ".webm"

TICKS = 90_000
"""Units of time in a second."""
SMALLEST_STEP = TICKS // 1000
"""Ticks between two frames, at least: Matroska counts milliseconds."""
KEYFRAME_EVERY_NS = NS_PER_S
KEYFRAME_OF_THE_SAME_EVERY_NS = 120 * NS_PER_S
"""While the same picture is shown again and again: keyframes are most of what it costs. The no-signal picture of a
street with a sensor's noise, twice a second by libx264: 1.8 MB an hour at 640x480, 5.8 MB at 1920x1080, where one
picture takes 7 ms of a processor; with a keyframe each minute it was 3.2 and 10.6 MB."""
LONGEST_FRAGMENT = 1_500_000
"""Microseconds after which a fragment ends without a keyframe, which happens only while the same picture is shown."""
BUFFERED = 4 << 20
"""Bytes that go to the file at once: more than a second of 4K. A fragment that a kill cuts in two has a packet that
FFmpeg refuses, and programs that take this for the end of the file, or for an error."""
FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"


class EncodedWriter(VideoWriter):
    """A video in H.264, or VP9 in WebM, yuv420p, under its final name from the first frame on.

    MP4 and MOV are written in fragments, a new one with each keyframe, which comes every second, and Matroska and
    WebM in clusters of a second: a file whose writer was killed plays up to there. While the same picture comes again
    and again keyframes are rare and fragments end without them. An MP4 whose end can be foreseen
    becomes an ordinary one when it is closed, with one index at its end; the memory for this grows by some 60 bytes per
    frame, so that an endless one stays in fragments. AVI knows multiples of the frame time only, to which times are
    rounded (``EvenRate``).

    Colors are converted with the matrix of BT.601, as OpenCV does in a sixth of swscale's time, and tagged so.

    Args:
        target: The file to make.
        encoder: Encodes it, and is not closed with it.

    Raises:
        MissingExtraError: PyAV is not installed.
        MachineError: The file cannot be written.
    """

    def __init__(self, target: VideoTarget, encoder: Encoder) -> None:
        with needed_for(f"Writing {encoder.codec}"):
            import av
        self._target = target
        self._encoder = encoder
        rate = Fraction(target.fps).limit_denominator(1001)
        container = CONTAINERS[target.path.suffix.lower()]
        self._slots = EvenRate(rate) if container == "avi" else None
        self._base = Fraction(1, TICKS) if self._slots is None else 1 / rate
        self._duration = round(1 / rate / self._base)
        self._last = -SMALLEST_STEP
        self._keyframe_ns: int | None = None
        with self._errors():
            self._file = VideoFile(target.path, target.make_room, new=target.new)
        try:
            with self._errors():
                self._container = av.open(
                    self._file,
                    "w",
                    format=container,
                    options=_muxer_options(container, target.endless),
                    buffer_size=BUFFERED,
                )
                encoder.begin(VideoBegin(self._container, target.size, rate, self._base, target.start_ns))
        except BaseException:
            self._file.abandon()
            raise

    @override
    def write(self, image: NDArray[np.uint8], time_ns: int, again: bool = False) -> None:
        ticks = self._ticks(time_ns)
        if ticks is None:
            return
        planes: NDArray[np.uint8] = cv2().cvtColor(image, cv2().COLOR_BGR2YUV_I420)
        every_ns = KEYFRAME_OF_THE_SAME_EVERY_NS if again else KEYFRAME_EVERY_NS
        keyframe = self._keyframe_ns is None or time_ns - self._keyframe_ns >= every_ns
        if keyframe:
            self._keyframe_ns = time_ns
        with self._failing_whole():
            self._mux(self._encoder.encode(planes, ticks, keyframe))

    @property
    @override
    def bytes(self) -> int:
        return self._file.size

    @override
    def close(self) -> None:
        if self._file.closed:
            return
        with self._failing_whole():
            self._mux(self._encoder.end())
            self._container.close()
            self._file.close()

    def _ticks(self, time_ns: int) -> int | None:
        """When a frame is shown, in units of the file; None where it is left out."""
        if self._slots is not None:
            return self._slots.slot_of(time_ns)
        self._last = max(round(Fraction(time_ns, NS_PER_S) / self._base), self._last + SMALLEST_STEP)
        return self._last

    def _mux(self, packets: Sequence[Packet[Any]]) -> None:
        for packet in packets:
            packet.duration = self._duration  # of the last one nothing else tells
            self._container.mux(packet)
            self._file.complete()

    @contextmanager
    def _failing_whole(self) -> Iterator[None]:
        """What goes wrong ends the file, which plays up to there."""
        try:
            with self._errors():
                yield
        except EncoderError as error:
            self._end_here(error.packets)
            raise
        except BaseException:
            self._give_up()
            raise

    def _end_here(self, packets: Sequence[Packet[Any]]) -> None:
        """Make a whole file of what was encoded, these being the last; no file where nothing was."""
        with suppress(Exception):
            self._mux(packets)
        if self._file.size:
            with suppress(Exception):
                self._container.close()
                self._file.close()
        self._give_up()

    def _give_up(self) -> None:
        """Leave what is complete and plays."""
        self._file.fail()
        with suppress(Exception):
            self._container.close()
        self._file.abandon()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What goes wrong, in a sentence."""
        import av

        path = self._target.path
        try:
            yield
        except av.error.FFmpegError as error:
            height, width = self._target.size
            raise MachineError(
                f"The video {path} of {height}x{width} pixels cannot be written in {self._encoder.codec}.",
                "Give another suffix, such as .mkv, or a folder for the masks.",
            ) from error
        except OSError as error:
            if VideoFile.is_full(error):
                raise disk_full(path) from error
            raise write_fault(path, error) from error


def _muxer_options(container: str, endless: bool) -> dict[str, str]:
    options = {"flush_packets": "1"}
    if container in ("mp4", "mov"):
        options["frag_duration"] = str(LONGEST_FRAGMENT)
        options["movflags"] = FRAGMENTED if endless else f"{FRAGMENTED}+hybrid_fragmented"
    elif container in ("matroska", "webm"):
        options["cluster_time_limit"] = "1000"
    return options
