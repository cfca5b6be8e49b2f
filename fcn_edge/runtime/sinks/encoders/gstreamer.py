"""H.264 by an element of the system's GStreamer, in a child process: a board's own encoder, above all.

The child (``encoders.worker``) runs in the system's Python, which alone has GStreamer's binding; a driver that crashes
there is a video that ends, not a run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.encoders import failures
from fcn_edge.runtime.sinks.encoders.base import Encoder, EncoderError, VideoBegin
from fcn_edge.runtime.sinks.encoders.bitstream import Bitstream
from fcn_edge.runtime.sinks.encoders.elements import encoder_pipeline
from fcn_edge.runtime.sinks.encoders.process import WORKER, AccessUnit, EncoderProcess
from fcn_edge.system.gstreamer import SYSTEM_PYTHON

if TYPE_CHECKING:
    from av import Packet

__all__ = ["GStreamerEncoder", "aligned"]

START_TIMEOUT = 20.0
"""Seconds until GStreamer runs; on its first start it looks through all its plugins."""
TIMEOUT = 10.0
"""Seconds of waiting without an access unit after which the encoder is given up."""
FIRST_PATIENCE, PATIENCE = 2.0, 0.5
"""Seconds after which an encoder that gave nothing is taken for one that holds pictures back: at first, and later."""
BEHIND, MOST_BEHIND = 1, 16
"""Pictures that may be in the encoder while the next one is made: what is there is lost when this process is killed."""
GRACE = 2.0
SAME_NS = 400_000
"""Two times are of the same picture: pictures are a millisecond apart, at least."""


@dataclass(frozen=True)
class _Picture:
    """One that the encoder has. Its data is kept as long as it may have to be sent again, else it is empty."""

    time_ns: int
    ticks: int
    keyframe: bool
    data: bytes = b""


class GStreamerEncoder(Encoder):
    """An element of GStreamer. One child encodes file after file, as long as their size is the same.

    Args:
        name: One of ``elements.ELEMENTS``.
        python: The interpreter that has ``gi``.
        program: What it runs.
        timeout: Seconds of waiting without an access unit after which it is given up; ``TIMEOUT`` when None.
    """

    def __init__(
        self, name: str, python: str = SYSTEM_PYTHON, program: Path = WORKER, timeout: float | None = None
    ) -> None:
        self.name = name
        self._python = python
        self._program = program
        self._timeout = timeout
        self._process: EncoderProcess | None = None
        self._made_for: tuple[Size, Fraction] | None = None
        self._pending: deque[_Picture] = deque()
        self._offset_ns = 0
        self._next_ns = 0
        self._behind = 0
        self._obeys: bool | None = None  # it makes keyframes when asked; None until that was seen
        self._carried = False  # the child has encoded another file before
        self._loaded = self._ready = self._ended = False
        self._raised = False  # more pictures than before may be in the encoder, which may only have been slow
        self._waited = 0.0
        self._bitstream: Bitstream | None = None

    @property
    def pid(self) -> int | None:
        """Number of the child; None where there is none."""
        return None if self._process is None else self._process.pid

    @override
    def begin(self, video: VideoBegin) -> None:
        self._video = video
        self._bitstream = None
        self._carried = self._process is not None and self._made_for == (video.size, video.rate) and bool(self._obeys)
        if not self._carried:
            self._start()
        self._behind = 0  # a file is begun with nothing in the encoder, which is to show that it begins a file
        self._offset_ns = self._next_ns

    @override
    def encode(self, planes: NDArray[np.uint8], ticks: int, keyframe: bool) -> Sequence[Packet[Any]]:
        time_ns = self._offset_ns + round(ticks * self._video.base * NS_PER_S)
        self._next_ns = time_ns + round(NS_PER_S / self._video.rate)
        data = aligned(planes)
        with self._packets() as packets:
            self._send(_Picture(time_ns, ticks, keyframe, data), packets)
            self._collect(packets, self._behind)
        return packets

    @override
    def end(self) -> Sequence[Packet[Any]]:
        with self._packets() as packets:
            self._collect(packets, 0, patient=False)
            if self._pending:  # it holds them until it is told that no more follow
                self._child.end_input()
                self._waited = 0.0
                self._collect(packets, 0, ending=True)
                if self._bitstream is None:
                    raise failures.failed(self.name, "encoded nothing")
                self._stop()
        return packets

    @override
    def close(self) -> None:
        self._stop()

    @property
    def _child(self) -> EncoderProcess:
        assert self._process is not None
        return self._process

    @property
    def _limit(self) -> float:
        """Seconds of waiting without an access unit after which it is given up."""
        if not self._loaded:
            return START_TIMEOUT
        return TIMEOUT if self._timeout is None else self._timeout

    def _start(self) -> None:
        self._stop()
        video = self._video
        try:
            pipeline = encoder_pipeline(self.name, video.size, video.rate)
            self._process = EncoderProcess(self._python, pipeline, self._program)
        except OSError:
            raise failures.no_python(self.name, self._python) from None
        self._made_for = video.size, video.rate
        self._next_ns, self._waited = 0, 0.0
        self._carried = self._loaded = self._ready = self._ended = self._raised = False

    def _stop(self) -> None:
        self._pending.clear()
        process, self._process = self._process, None
        if process is not None:
            process.close(GRACE)

    @contextmanager
    def _packets(self) -> Iterator[list[Packet[Any]]]:
        """A list for packets, which goes with an error."""
        packets: list[Packet[Any]] = []
        try:
            yield packets
        except EncoderError as error:
            error.packets = packets
            raise

    def _send(self, picture: _Picture, packets: list[Packet[Any]]) -> None:
        may_be_sent_again = self._carried and self._bitstream is None
        self._pending.append(picture if may_be_sent_again else replace(picture, data=b""))
        until = time.monotonic() + max(self._limit - self._waited, PATIENCE)
        if not self._child.picture(picture.data, picture.time_ns, picture.keyframe, until):
            self._raise_why(packets, time.monotonic() >= until)

    def _collect(self, packets: list[Packet[Any]], allowed: int, patient: bool = True, ending: bool = False) -> None:
        """Packets, until so many pictures are in the encoder; more of them may be from now on where it keeps them.

        Args:
            packets: Takes them, also before an error.
            allowed: How many may stay.
            patient: It is not about to end: where it keeps more, it may.
            ending: The child was told that no more follow.
        """
        heard = time.monotonic() - self._waited
        given_up, settling = time.monotonic() + PATIENCE, False
        while len(self._pending) > allowed and not (ending and self._ended):
            limit = heard + self._limit
            holds = self._ready and not ending and len(self._pending) <= MOST_BEHIND
            record = self._received(min(limit, given_up) if holds else limit)
            if record is not None:
                self._take(record, packets)
                heard = time.monotonic()
                given_up = heard + (PATIENCE if isinstance(record, AccessUnit) else FIRST_PATIENCE)
                if self._raised and isinstance(record, AccessUnit):  # it may have been slow, and keep none
                    self._raised, settling, allowed = False, True, min(allowed, BEHIND)
            elif self._child.over:
                raise failures.ended(self.name, self._child.exit_status(GRACE))
            elif time.monotonic() >= limit:
                raise failures.silent(self.name, self._limit)
            elif holds:
                if patient:
                    self._raised, self._behind = not settling, len(self._pending)
                break
        self._waited = time.monotonic() - heard if len(self._pending) > allowed else 0.0
        while patient and not ending and (record := self._received(0.0)) is not None:  # what is there already
            self._take(record, packets)
        self._behind = min(self._behind, max(len(self._pending), BEHIND))

    def _received(self, until: float) -> AccessUnit | dict[str, Any] | None:
        try:
            return self._child.receive(until)
        except ValueError:
            raise failures.failed(self.name, "sent what makes no sense") from None

    def _take(self, record: AccessUnit | dict[str, Any], packets: list[Packet[Any]]) -> None:
        """Take what the child gave or said."""
        if isinstance(record, AccessUnit):
            if self._carried and self._bitstream is None and not record.keyframe:
                self._send_again(packets)
            else:
                packets.append(self._packet(record))
                self._behind = max(self._behind, BEHIND)
            return
        kind = record.get("kind")
        if kind not in ("loaded", "ready", "end"):
            raise failures.told(self.name, record)
        self._loaded = True
        self._ready |= kind == "ready"
        self._ended |= kind == "end"

    def _send_again(self, packets: list[Packet[Any]]) -> None:
        """Begin the file with another child: this one made its keyframes when it wanted, and not when it was asked."""
        pictures, next_ns = list(self._pending), self._next_ns
        self._obeys = False
        self._start()
        self._next_ns, self._behind = next_ns, 0
        for picture in pictures:
            self._send(picture, packets)

    def _packet(self, unit: AccessUnit) -> Packet[Any]:
        while self._pending and self._pending[0].time_ns < unit.time_ns - SAME_NS:  # one that the encoder left out
            self._pending.popleft()
        if not self._pending or abs(self._pending[0].time_ns - unit.time_ns) > SAME_NS:
            raise failures.failed(self.name, "sent what it was not given")
        picture = self._pending.popleft()
        if self._bitstream is None:
            if not unit.keyframe:
                raise failures.failed(self.name, "did not begin with a keyframe")
            self._bitstream = Bitstream(self.name, self._video, unit)
        elif picture.keyframe:
            self._obeys = unit.keyframe and self._obeys is not False
        return self._bitstream.packet(unit, picture.ticks)

    def _raise_why(self, packets: list[Packet[Any]], late: bool) -> NoReturn:
        """Take what it gave before it took no picture any more, and raise what it told, or what became of it.

        Args:
            packets: Takes what it gave.
            late: It had its time.
        """
        limit, until = self._limit, 0.0 if late else time.monotonic() + GRACE
        while (record := self._received(until)) is not None:
            self._take(record, packets)
        if late and not self._child.over:
            raise failures.silent(self.name, limit)
        raise failures.ended(self.name, self._child.exit_status(GRACE))


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
