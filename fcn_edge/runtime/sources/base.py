"""What gives frames: the base of all connections to sources."""

from __future__ import annotations

import queue
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, override

from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.frame_buffer import FrameBuffer
from fcn_edge.errors import SourceError
from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.clock import CameraClock
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.uri import Uri
from fcn_edge.text import quoted

__all__ = [
    "CONNECTED",
    "Connection",
    "EndOfSource",
    "FileConnection",
    "Grade",
    "LeftOutError",
    "Picture",
    "State",
    "StateChange",
    "next_picture",
]

State = Literal["idle", "connecting", "waiting_for_keyframe", "live", "stalled", "frozen", "black", "lost", "ended"]
"""State of a connection.

idle                    not connected yet
connecting              connecting for the first time
waiting_for_keyframe    connected; packets come that cannot be decoded before the next keyframe
live                    giving frames
stalled                 connected, but no frame came for a while
frozen                  giving the same picture again and again
black                   giving black pictures
lost                    failed; a supervised source is connected again and again meanwhile
ended                   at its end, interrupted or closed
"""

Grade = Literal["excellent", "fair", "poor", "unusable"]
"""How well a supervised source did in the last hour; ``runtime.grade`` has the rules."""

CONNECTED: frozenset[State] = frozenset({"waiting_for_keyframe", "live", "stalled", "frozen", "black"})

SLICE = 0.1
"""Seconds that one wait takes at most: an interrupt is noticed this soon."""


class LeftOutError(SourceError):
    """A source is at its end, and some of what it holds could not be read: each was told of when its turn came."""


class EndOfSource(Exception):  # noqa: N818 (an end is no error)
    """A source has no more pictures."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What a source reads: a frame before it is numbered.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR, in host memory or as a ``FrameBuffer``.
        name: What files made from it are called, without a suffix; by the frame's number when empty.
        labels: ``(H, W)`` uint8 true classes, where they are known.
        time: Seconds in the source, by the source's own time stamps, where it has some.
        index: Position in the source, where the source counts; the number of the frames before it when None.
        captured_ns: ``time.monotonic_ns()`` of the capture; when it is handed over, if None.
        captured_unix_ns: Nanoseconds of Unix time at the capture, such as a recording's; when it is handed over, if
            None.
        camera_time_ns: Nanoseconds of Unix time at the capture by the camera's own clock, where it tells.
    """

    image: NDArray[np.uint8] | FrameBuffer
    name: str = ""
    labels: NDArray[np.uint8] | None = None
    time: float | None = None
    index: int | None = None
    captured_ns: int | None = None
    captured_unix_ns: int | None = None
    camera_time_ns: int | None = None


@dataclass(frozen=True)
class StateChange:
    """A supervised source has another state or another grade than before; never both at once.

    Attributes:
        state: The state that it has now.
        grade: The grade that it has now; None in its first seconds.
        message: What happened, in a sentence; empty where the state says it all.
        unix_ns: Nanoseconds of Unix time of the change.
        of_grade: It is the grade that is another one.
    """

    state: State
    grade: Grade | None
    message: str
    unix_ns: int
    of_grade: bool = False


def next_picture(pictures: Channel[Picture], timeout: float) -> Picture | None:
    """The next picture that a source's own thread reads; None when none came within ``timeout`` seconds.

    Raises:
        EndOfSource: None will come any more.
        Exception: What ended the thread.
    """
    try:
        picture = pictures.take(timeout)
    except queue.Empty:
        return None
    if picture is None:
        raise EndOfSource
    return picture


class Connection(Closeable):
    """A source that is read: made, connected, read until it ends, closed; a ``with`` block closes it.

    Making one touches nothing. ``connect`` and ``read`` wait, in one thread at a time; ``interrupt`` and ``state`` may
    be used from any thread meanwhile.

    A new kind of source overrides ``_connect`` and ``_next``.

    Args:
        address: What names the source; a text is taken apart.

    Attributes:
        address: What it was made of.
        state: What it does (``State``).
        live: Frames come when they come and old ones are worthless: a slow reader gets the newest.
        fps: Frames a second; None where there is no such thing. This and what follows are known once it is connected.
        peak_fps: Frames a second where they come fastest; None where the rate is even, or nobody knows.
        size: ``(height, width)`` of the first frame; None when unknown. Later frames may differ.
        length: How many frames there are, as far as the source knows; None when it does not.
        classes: Names of the classes in the frames' labels; empty where frames have none.
        files: The files that are read; nothing may write over them meanwhile.
        clock: The clock of the camera against ours, where it tells its time.
        reopens: It can be connected again after it was lost; what comes through a pipe cannot.
        keyframes: How many of the pictures that were decoded so far need no other picture; None where it does not tell.
        longest_gap: Seconds without a picture that are normal here, as with video that comes in segments.
        packets_lost: Packets that the network lost so far; None where it does not tell.
        jitter_ms: Jitter of the packets' arrival, milliseconds; None where it does not tell.
        tells: It calls ``on_change`` itself; the state of others is looked at when a run begins and ends.
        on_change: Called at each change of state or grade, in the thread that reads the source.
        grade: How well it does; None where it is not supervised, and in its first seconds.
        reconnects: How often it was connected again after it was lost.
        stalls: How often no frame came for a while.
    """

    live: bool = False
    reopens: bool = True
    keyframes: int | None = None
    longest_gap: float = 0.0
    packets_lost: int | None = None
    jitter_ms: float | None = None
    tells: bool = False
    on_change: Callable[[StateChange], None] | None = None
    grade: Grade | None = None
    reconnects: int = 0
    stalls: int = 0

    def __init__(self, address: Uri | str) -> None:
        self.address = Uri.parse(address) if isinstance(address, str) else address
        self.state: State = "idle"
        self.fps: float | None = None
        self.peak_fps: float | None = None
        self.size: Size | None = None
        self.length: int | None = None
        self.classes: tuple[str, ...] = ()
        self.files: frozenset[Path] = frozenset()
        self.clock = CameraClock()
        self._count = 0
        self._interrupted = False

    @property
    def id(self) -> str:
        """What frames call their source: its address without the password."""
        return self.address.text

    @property
    def dropped(self) -> int:
        """Frames that were captured and skipped for newer ones before they could be read."""
        return 0

    @property
    def damaged(self) -> int:
        """Packets, pictures and files that came damaged: skipped, or shown as far as they could be decoded."""
        return 0

    def connect(self, timeout: float | None = None) -> None:
        """Connect, which may wait; once is enough.

        Args:
            timeout: Seconds to wait at most, where the source can take long; its own default when left out.

        Raises:
            UsageError: The address makes no sense.
            SourceError: The source is missing, busy, empty or unreadable, did not answer in time, or the connection was
                interrupted, closed or has ended before.
        """
        if self.state in CONNECTED:
            return
        if self.state != "idle" or self._interrupted:
            raise SourceError(f"The connection to {self.id} has ended.", "Open the source again.")
        self.state = "connecting"
        try:
            self._connect(timeout)
        except BaseException:
            self.close()
            self.state = "ended" if self._interrupted else "lost"
            raise
        if self.state == "connecting" and not self.tells:
            self.state = "live"

    def read(self, timeout: float | None = None) -> Frame | None:
        """The next frame, waiting for it.

        Args:
            timeout: Seconds to wait at most; until there is one when left out.

        Returns:
            The frame; None when none came in time, and when none will come any more: ``state`` is ``ended`` then.

        Raises:
            SourceError: It is unreadable, or the source was lost.
        """
        if self._interrupted or self.state == "ended":
            self.state = "ended"
            return None
        self.connect()
        until = None if timeout is None else time.monotonic() + timeout
        while not self._interrupted:
            left = SLICE if until is None else min(SLICE, until - time.monotonic())
            try:
                picture = self._next(max(left, 0.0))
            except EndOfSource:
                self.state = "ended"
                return None
            except Exception:
                self.state = "lost"
                raise
            if picture is not None:
                return self._numbered(picture)
            if left < SLICE:
                return None
        self.state = "ended"
        return None

    def interrupt(self) -> None:
        """Make a ``connect`` or ``read`` that waits give up at once, and each that follows.

        For other threads, at any time, as often as they like. What is left to do with the connection is to close it.
        """
        self._interrupted = True

    def close(self) -> None:
        """Give back what the connection holds; it has ended, connected or not. May be called more than once."""
        if self.state != "lost":
            self.state = "ended"

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        """The next frame, however long it takes."""
        while (frame := self.read()) is None:
            if self.state == "ended":
                raise StopIteration
        return frame

    @abstractmethod
    def _connect(self, timeout: float | None) -> None:
        """Connect, set the attributes, and raise as ``connect`` does; check ``_interrupted`` while waiting."""

    @abstractmethod
    def _next(self, timeout: float) -> Picture | None:
        """The next picture; None when none came within ``timeout`` seconds, which are few.

        Raises:
            EndOfSource: None will come any more.
            SourceError: It is unreadable, or the source was lost.
        """

    def _numbered(self, picture: Picture) -> Frame:
        index = self._count if picture.index is None else picture.index
        self._count += 1
        captured_ns = time.monotonic_ns() if picture.captured_ns is None else picture.captured_ns
        if picture.camera_time_ns is not None:
            self.clock.add(picture.camera_time_ns, captured_ns)
        return Frame(
            picture.image,
            index,
            captured_ns,
            picture.name or f"{index:06d}",
            picture.labels,
            source=self.id,
            captured_unix_ns=time.time_ns() if picture.captured_unix_ns is None else picture.captured_unix_ns,
            time=picture.time,
            camera_time_ns=picture.camera_time_ns,
            live=self.live,
        )


class FileConnection(Connection):
    """A source on disk. Connecting reads its first picture: what is unreadable is known before anything runs.

    A new kind overrides ``_open`` and ``read_next``. Disks answer, so that reading one picture is not interrupted.
    """

    def __init__(self, address: Uri | str) -> None:
        super().__init__(address)
        self._first: Picture | None = None

    @override
    def _connect(self, timeout: float | None) -> None:
        self._open()
        self._first = self.read_next()
        if self._first is None:
            raise SourceError(
                f"{self.id} holds no frame that can be decoded.",
                f"See what it holds with: ffprobe {quoted(Path(self.address.place))}",
            )
        height, width = self._first.image.shape[:2]
        self.size = height, width

    @override
    def _next(self, timeout: float) -> Picture | None:
        first, self._first = self._first, None
        picture = self.read_next() if first is None else first
        if picture is None:
            raise EndOfSource
        return picture

    @abstractmethod
    def _open(self) -> None:
        """Open it and set the attributes, except for the size.

        Raises:
            SourceError: It is unreadable.
        """

    @abstractmethod
    def read_next(self) -> Picture | None:
        """The next picture on disk; None at the end.

        Raises:
            SourceError: It is unreadable.
        """
