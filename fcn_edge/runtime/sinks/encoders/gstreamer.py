"""H.264 by an element of the system's GStreamer, in a child process: a board's own encoder, above all.

The child (``encoders.worker``) runs in the system's Python, which alone has GStreamer's binding; a driver that crashes
there is a video that ends, not a run.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.encoders import failures
from fcn_edge.runtime.sinks.encoders.base import BT601, BT709, Encoder, EncoderError, VideoBegin
from fcn_edge.runtime.sinks.encoders.elements import encoder_pipeline
from fcn_edge.runtime.sinks.encoders.process import WORKER, AccessUnit, EncoderProcess
from fcn_edge.system.gstreamer import SYSTEM_PYTHON

if TYPE_CHECKING:
    from av import Packet

__all__ = ["GStreamerEncoder", "aligned"]

START_TIMEOUT = 20.0
"""Seconds until the first picture is encoded; on its first start GStreamer looks through all its plugins."""
TIMEOUT = 10.0
"""Seconds without an access unit after which the encoder is given up."""
FIRST_PATIENCE, PATIENCE = 2.0, 0.5
"""Seconds after which an encoder that gave nothing is taken for one that holds pictures back: at first, and later."""
BEHIND, MOST_BEHIND = 1, 16
"""Pictures that may be in the encoder while the next one is made: what is there is lost when this process is killed."""
GRACE = 2.0
SAME_NS = 400_000
"""Two times are of the same picture: pictures are a millisecond apart, at least."""

METADATA = "h264_metadata=" + ":".join(
    (
        "aud=remove",
        f"colour_primaries={BT709}",
        f"transfer_characteristics={BT709}",
        f"matrix_coefficients={BT601}",
        "video_full_range_flag=0",
    )
)
"""FFmpeg's filter that writes how colors are coded into the stream: boards' encoders leave it out."""


class GStreamerEncoder(Encoder):
    """An element of GStreamer. One child encodes file after file, as long as their size is the same.

    Args:
        name: One of ``elements.ELEMENTS``.
        python: The interpreter that has ``gi``.
        program: What it runs.
    """

    def __init__(self, name: str, python: str = SYSTEM_PYTHON, program: Path = WORKER) -> None:
        self.name = name
        self._python = python
        self._program = program
        self._process: EncoderProcess | None = None
        self._made_for: tuple[Size, Fraction] | None = None
        self._pending: deque[tuple[int, int, bool]] = deque()
        self._offset_ns = 0
        self._next_ns = 0
        self._behind = 0
        self._obeys = False
        self._ready = False
        self._failed: EncoderError | None = None
        self._stream: Any = None
        self._filter: Any = None

    @property
    def pid(self) -> int | None:
        """Number of the child; None where there is none."""
        return None if self._process is None else self._process.pid

    @override
    def begin(self, video: VideoBegin) -> None:
        self._video = video
        self._stream = self._filter = None
        if self._process is None or self._made_for != (video.size, video.rate) or not self._obeys:
            self._start()
        self._offset_ns = self._next_ns

    @override
    def encode(self, planes: NDArray[np.uint8], ticks: int, keyframe: bool) -> Sequence[Packet[Any]]:
        if self._failed is not None:
            raise self._failed
        process = self._process
        assert process is not None
        time_ns = self._offset_ns + round(ticks * self._video.base * NS_PER_S)
        self._next_ns = time_ns + round(NS_PER_S / self._video.rate)
        self._pending.append((time_ns, ticks, keyframe))
        if not process.picture(aligned(planes), time_ns, keyframe, time.monotonic() + TIMEOUT):
            raise self._stopped()
        return self._packets(self._behind)

    @override
    def end(self) -> Sequence[Packet[Any]]:
        packets = self._packets(0, patient=False)
        if self._pending and self._failed is None:  # it holds them until it is told that no more follow
            assert self._process is not None
            self._process.end_input()
            self._behind = 0
            packets += self._packets(0, ending=True)
            if self._failed is None:
                self._stop()
        if self._failed is not None:
            raise self._failed
        return packets

    @override
    def close(self) -> None:
        self._stop()

    def _start(self) -> None:
        self._stop()
        video = self._video
        try:
            pipeline = encoder_pipeline(self.name, video.size, video.rate)
            self._process = EncoderProcess(self._python, pipeline, self._program)
        except OSError:
            raise failures.no_python(self.name, self._python) from None
        self._made_for = video.size, video.rate
        self._next_ns, self._behind, self._obeys, self._ready, self._failed = 0, 0, False, False, None

    def _stop(self) -> None:
        self._pending.clear()
        process, self._process = self._process, None
        if process is not None:
            process.close(GRACE)

    def _packets(self, allowed: int, patient: bool = True, ending: bool = False) -> list[Packet[Any]]:
        """Packets, until so many pictures are in the encoder; more of them may be from now on where it keeps them.

        What was encoded before an error is given, and the error raised when more is asked for.

        Args:
            allowed: How many may stay.
            patient: Wait for each as long as it takes.
            ending: The child was told that no more follow.
        """
        packets: list[Packet[Any]] = []
        try:
            self._collect(packets, allowed, patient, ending)
        except EncoderError as error:
            if not packets:
                raise
            self._failed = error
        return packets

    def _collect(self, packets: list[Packet[Any]], allowed: int, patient: bool, ending: bool) -> None:
        process = self._process
        assert process is not None
        limit = time.monotonic() + (TIMEOUT if self._ready else START_TIMEOUT)
        given_up = time.monotonic() + PATIENCE
        while len(self._pending) > allowed:
            holding = self._ready and not ending
            record = self._received(process, min(limit, given_up) if holding else limit)
            if isinstance(record, AccessUnit):
                packets.append(self._packet(record))
                self._behind = max(self._behind, BEHIND)
                limit, given_up = time.monotonic() + TIMEOUT, time.monotonic() + PATIENCE
            elif record is not None:
                if record.get("kind") != "ready":
                    raise self._stopped(record)
                self._ready = True
                given_up = time.monotonic() + FIRST_PATIENCE
            elif process.over or time.monotonic() >= limit:
                raise self._stopped()
            elif holding and len(self._pending) <= MOST_BEHIND:
                if patient:
                    self._behind = len(self._pending)
                break

    def _received(self, process: EncoderProcess, until: float) -> AccessUnit | dict[str, Any] | None:
        try:
            return process.receive(until)
        except ValueError:
            raise failures.failed(self.name, "sent what makes no sense") from None

    def _packet(self, unit: AccessUnit) -> Packet[Any]:
        from av import Packet

        while self._pending and self._pending[0][0] < unit.time_ns - SAME_NS:  # a picture that the encoder left out
            self._pending.popleft()
        if not self._pending or abs(self._pending[0][0] - unit.time_ns) > SAME_NS:
            raise failures.failed(self.name, "sent what it was not given")
        _, ticks, forced = self._pending.popleft()
        packet: Packet[Any] = Packet(unit.data)
        if self._stream is None:
            self._begin_stream(unit)
        elif forced and unit.keyframe:
            self._obeys = True
        packet.is_keyframe = unit.keyframe
        (packet,) = self._filter.filter(packet)
        packet.stream = self._stream
        packet.pts = packet.dts = ticks
        packet.time_base = self._video.base
        packet.is_keyframe = unit.keyframe
        return packet

    def _begin_stream(self, unit: AccessUnit) -> None:
        """Add the file's stream, with the parameter sets of its first access unit."""
        import av
        from av.bitstream import BitStreamFilterContext

        if not unit.keyframe:
            raise failures.failed(self.name, "did not begin with a keyframe")
        try:
            with av.open(io.BytesIO(unit.data), format="h264") as raw:
                self._filter = BitStreamFilterContext(METADATA, raw.streams.video[0])
                (first,) = BitStreamFilterContext(METADATA, raw.streams.video[0]).filter(av.Packet(unit.data))
            with av.open(io.BytesIO(bytes(first)), format="h264") as raw:
                parameters = raw.streams.video[0]
                self._stream = self._video.container.add_stream_from_template(parameters, opaque=True)
        except (av.error.FFmpegError, IndexError, ValueError):
            raise failures.failed(self.name, "sent what is no H.264") from None
        self._stream.time_base = self._video.base

    def _stopped(self, message: dict[str, Any] | None = None) -> EncoderError:
        """Why it did not go on."""
        process = self._process
        assert process is not None
        if message is None:  # perhaps it said why, before
            with suppress(ValueError):
                while message is None or message.get("kind") == "ready":
                    record = process.receive(time.monotonic() + 0.1)
                    if record is None:
                        break
                    message = record if isinstance(record, dict) else message
        if message is not None and message.get("kind") not in ("ready", "end"):
            return failures.told(self.name, message)
        if process.over:
            return failures.ended(self.name, process.exit_status(GRACE))
        return failures.silent(self.name, TIMEOUT)


def aligned(planes: NDArray[np.uint8]) -> bytes:
    """I420 as GStreamer lays it out: each row of each plane takes a multiple of four bytes.

    Args:
        planes: ``(1.5 H, W)`` uint8, the planes Y, U and V one after the other; H and W are even.
    """
    rows, width = planes.shape
    height = rows * 2 // 3
    if width % 8 == 0:
        return planes.tobytes()
    chroma = planes[height:].reshape(height, width // 2)
    parts = planes[:height], chroma
    return b"".join(np.pad(part, ((0, 0), (0, -part.shape[1] % 4))).tobytes() for part in parts)
