"""H.264 by libx264 through PyAV, in files that play up to the last second or two, however their writer ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import MachineError, needed_for
from fcn_edge.io.opencv import cv2
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.video_file import VideoFile
from fcn_edge.runtime.sinks.video_writer import VideoTarget, VideoWriter, disk_full

if TYPE_CHECKING:
    from av import Packet

__all__ = ["CONTAINERS", "H264Writer", "h264_is_here"]

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".avi": "avi"}
"""FFmpeg's names of the containers, by suffix."""

ENCODER: Final = "libx264"
PRESET = {"preset": "ultrafast", "crf": "25", "tune": "zerolatency", "x264-params": "deblock=0,0"}
"""Chosen on overlays of CamVid's classes over a drive, 1024x512, on one core of an x86-64 server. With the deblocking
filter that ultrafast switches off: 2.5 ms per frame, 2.1 Mbit/s, PSNR 45.2 dB. Without: 2.2 ms, 2.2 Mbit/s, 44.5 dB;
superfast: 5.1 ms, 2.0 Mbit/s, 44.7 dB; veryfast: 7 ms. ``zerolatency``: no frame waits in the encoder when the process
dies."""

TICKS = 90_000
"""Units of time in a second."""
SMALLEST_STEP = TICKS // 1000
"""Ticks between two frames, at least: Matroska counts milliseconds."""
KEYFRAME_EVERY_NS = NS_PER_S
ONE_THREAD = 1 << 20
"""Pixels up to which one thread encodes: more than one would take them from the network."""

FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"
BT709, BT601 = 1, 6
LIMITED = 1


class H264Writer(VideoWriter):
    """A video in H.264, yuv420p, under its final name from the first frame on.

    MP4 and MOV are written in fragments, a new one with each keyframe, which comes every second, and Matroska in
    clusters of a second: a file whose writer was killed plays up to there. An MP4 whose end can be foreseen becomes an
    ordinary one when it is closed, with one index at its end; the memory for this grows by some 60 bytes per frame, so
    that an endless one stays in fragments. AVI knows multiples of the frame time only, to which times are rounded.

    Colors are converted with the matrix of BT.601, as OpenCV does in a sixth of swscale's time, and tagged so.

    Args:
        target: The file to make.

    Raises:
        MissingExtraError: PyAV is not installed.
        MachineError: The file cannot be written.
    """

    def __init__(self, target: VideoTarget) -> None:
        with needed_for("Writing H.264"):
            import av
            from av.video.frame import PictureType
        self._target = target
        self._new_frame = av.VideoFrame.from_ndarray
        self._intra = PictureType.I
        rate = Fraction(target.fps).limit_denominator(1001)
        container = CONTAINERS[target.path.suffix.lower()]
        self._base = 1 / rate if container == "avi" else Fraction(1, TICKS)
        self._step = 1 if container == "avi" else SMALLEST_STEP
        self._duration = round(1 / rate / self._base)
        self._last = -self._step
        self._keyframe_ns: int | None = None
        with self._errors():
            self._file = VideoFile(target.path, target.make_room, new=target.new)
        try:
            with self._errors():
                self._container = av.open(
                    self._file, "w", format=container, options=_muxer_options(container, target.endless)
                )
                self._stream = self._container.add_stream(ENCODER, rate=rate, options=PRESET)
                context = self._stream.codec_context
                context.height, context.width = target.size
                context.pix_fmt = "yuv420p"
                context.time_base = self._base
                context.thread_count = 1 if target.size[0] * target.size[1] <= ONE_THREAD else 2
                context.colorspace, context.color_range = BT601, LIMITED
                context.color_primaries = context.color_trc = BT709
        except BaseException:
            self._file.abandon()
            raise

    @override
    def write(self, image: NDArray[np.uint8], time_ns: int) -> None:
        frame = self._new_frame(cv2().cvtColor(image, cv2().COLOR_BGR2YUV_I420), format="yuv420p")
        frame.colorspace, frame.color_range = BT601, LIMITED
        self._last = max(round(Fraction(time_ns, NS_PER_S) / self._base), self._last + self._step)
        frame.pts, frame.time_base = self._last, self._base
        if self._keyframe_ns is None or time_ns - self._keyframe_ns >= KEYFRAME_EVERY_NS:
            self._keyframe_ns = time_ns
            frame.pict_type = self._intra
        try:
            with self._errors():
                self._mux(self._stream.encode(frame))
        except BaseException:
            self._give_up()
            raise

    @property
    @override
    def bytes(self) -> int:
        return self._file.size

    @override
    def close(self) -> None:
        if self._file.closed:
            return
        try:
            with self._errors():
                self._mux(self._stream.encode(None))
                self._container.close()
                self._file.close()
        except BaseException:
            self._give_up()
            raise

    def _mux(self, packets: Sequence[Packet[Any]]) -> None:
        for packet in packets:
            packet.duration = self._duration  # of the last one nothing else tells
            self._container.mux(packet)
            self._file.complete()

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
                f"The video {path} of {height}x{width} pixels cannot be written in H.264.",
                "Give another suffix, such as .mkv, or a folder for the masks.",
            ) from error
        except OSError as error:
            if VideoFile.is_full(error):
                raise disk_full(path) from error
            raise MachineError(
                f"The video {path} cannot be written: {error.strerror}.", "Check the disk, or write elsewhere."
            ) from error


def h264_is_here() -> bool:
    """Whether PyAV is installed and has the encoder; some builds leave it out because of its license."""
    try:
        import av
    except ImportError:
        return False
    return ENCODER in av.codecs_available


def _muxer_options(container: str, endless: bool) -> dict[str, str]:
    options = {"flush_packets": "1"}
    if container in ("mp4", "mov"):
        options["movflags"] = FRAGMENTED if endless else f"{FRAGMENTED}+hybrid_fragmented"
    elif container == "matroska":
        options["cluster_time_limit"] = "1000"
    return options
