"""A live source that heals itself: what is lost is connected again, for ever.

    camera = SupervisedConnection(SourceAddress.of("rtsp://camera/1").connection)
    camera.on_change = print
    with camera:
        for frame in camera: ...

``fcn-edge run``, ``fcn_edge.run`` and ``fcn_edge.stream`` supervise every live source that is given by its address.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from fcn_edge.errors import FcnEdgeError, SourceError, UsageError
from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.backoff import Backoff
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.health import Health
from fcn_edge.runtime.sources.base import SLICE, Connection, EndOfSource, Grade, Picture, StateChange
from fcn_edge.runtime.sources.numbering import Numbering
from fcn_edge.runtime.waiting import item_within

if TYPE_CHECKING:
    from fcn_edge.runtime.sources.registry import SourceAddress

__all__ = ["Patience", "SupervisedConnection", "supervised"]

CLOSE_TIMEOUT = 5.0
"""Seconds that closing waits for a source that does not answer; its thread lets go of it when it can."""

FEW_FRAMES = 10


@dataclass(frozen=True)
class Patience:
    """How long a connected source may be silent before it is given up and connected anew.

    Attributes:
        silent: Seconds without a frame. A source of less than 3 frames a second may be silent for ten frame times, and
            one with gaps by nature for three of them.
        keyframe: Seconds without a frame while packets come that cannot be decoded before the next keyframe.
        most: A source whose rate nobody knows may be slow: each time that it is given up before its tenth frame, it may
            be silent for twice as long, up to this.
        settled: Seconds of frames after which the next loss is a new one, which is tried again soon.
        asked: ``silent`` was asked for, and holds as it is, however slow the source is.
    """

    silent: float = 3.0
    keyframe: float = 20.0
    most: float = 30.0
    settled: float = 5.0
    asked: bool = False

    @classmethod
    def of(cls, timeout: float) -> Patience:
        """That of a source which is to be lost after ``timeout`` seconds without a frame."""
        return cls(timeout, max(timeout, cls.keyframe), asked=True)


class SupervisedConnection(Connection):
    """A live source behind a connection that outlives the source's own ones.

    A thread of its own makes them, connects, reads and closes them, and watches what comes (``runtime.health``): a slow
    reader gets the newest frame, and a reader that does not read lets nothing grow old. Once it was connected, only
    ``close`` and ``interrupt`` end it: a source that fails, ends or gives no frame is ``lost``, and connected again
    after a short random delay (``runtime.backoff``). Frames are numbered on, and their times go on, over a loss. A
    source that is not live, such as a file, still ends at its end.

    Args:
        make: Makes a connection to the source, not connected yet; it is called for every attempt.
        wait: A source that is not there is no error at the start: ``connect`` makes one attempt, and the thread goes on
            trying.
        expected_fps: Frames a second that should come; see ``runtime.grade``.
        patience: How long a connected source may be silent.
        backoff: Delays between attempts.
    """

    tells = True

    def __init__(
        self,
        make: Callable[[], Connection],
        *,
        wait: bool = False,
        expected_fps: float | None = None,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._inner = make()
        super().__init__(self._inner.address)
        self.live = self._inner.live
        self._make = make
        self._wait = wait
        self._patience = patience or Patience()
        self._backoff = backoff or Backoff()
        self._health = Health(self._changed, expected_fps)
        self._pictures: Channel[Picture] = Channel(1, newest=self.live)
        self._answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._numbering = Numbering()
        self._timeout: float | None = None
        self._stopping = False
        self._dropped_before = 0
        self._damaged_before = 0
        self._lost_before: int | None = None
        self._silence = self._patience.silent
        self._answered = False
        self._connected_ns: int | None = None
        self._lost_ns: int | None = None
        self._frames = 0
        self._thread = threading.Thread(target=self._run, name="fcn-edge supervisor", daemon=True)

    @property
    @override
    def dropped(self) -> int:
        return self._pictures.dropped + self._dropped_before + self._inner.dropped

    @property
    @override
    def damaged(self) -> int:
        return self._damaged_before + self._inner.damaged

    @property
    def grade(self) -> Grade | None:  # type: ignore[override]
        """How well it did in the last hour; None in its first seconds."""
        return self._health.grade

    @property
    def reconnects(self) -> int:  # type: ignore[override]
        """How often it was connected again after it was lost."""
        return self._health.reconnects

    @property
    def stalls(self) -> int:  # type: ignore[override]
        """How often no frame came for a while."""
        return self._health.stalls

    @property
    def packets_lost(self) -> int | None:  # type: ignore[override]
        """Packets that the network lost so far; None where the source does not tell."""
        counts = [count for count in (self._lost_before, self._inner.packets_lost) if count is not None]
        return sum(counts) if counts else None

    @property
    def jitter_ms(self) -> float | None:  # type: ignore[override]
        """Jitter of the packets' arrival, milliseconds; None where the source does not tell."""
        return self._inner.jitter_ms

    @override
    def connect(self, timeout: float | None = None) -> None:
        # once its thread runs it connects by itself, whatever the state
        if self._thread.ident is None or self._ends:
            super().connect(timeout)

    @override
    def interrupt(self) -> None:
        super().interrupt()
        self._stop()

    @override
    def close(self) -> None:
        self._stopping = True
        self._stop()
        self._pictures.stop()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_TIMEOUT)
        before, self.state = self.state, "ended"
        if before not in ("idle", "lost", "ended"):
            self._tell(StateChange(self.state, self.grade, "", time.time_ns()))

    @override
    def _connect(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._thread.start()
        while not self._interrupted:
            try:
                answer = item_within(self._answer, SLICE)
            except queue.Empty:
                continue
            if answer is not None:
                raise answer
            return
        raise SourceError(f"Connecting to {self.id} was interrupted.")

    @override
    def _next(self, timeout: float) -> Picture | None:
        try:
            picture = self._pictures.take(timeout)
        except queue.Empty:
            if self._stopping:
                raise EndOfSource from None
            return None
        if picture is None:
            raise EndOfSource
        return picture

    @property
    def _ends(self) -> bool:
        return self._interrupted or self._stopping

    def _stop(self) -> None:
        self._wake.put(None)
        self._inner.interrupt()

    def _run(self) -> None:
        """The thread: connect, read until it is lost, wait, and again."""
        try:
            self._health.connecting()
            while not self._ends:
                try:
                    self._connect_source()
                    if self._is_over():
                        break
                except FcnEdgeError as error:
                    self._lost(error)
            self._pictures.end()
        except BaseException as error:
            self._answer_first(error)
            self._pictures.end(error)
        finally:
            self._inner.close()

    def _connect_source(self) -> None:
        """One attempt.

        Raises:
            FcnEdgeError: It failed.
        """
        if self._inner.state != "idle":
            old, self._inner = self._inner, self._make()
            self._count_out(old)
            self._numbering.go_on()
            if self._ends:  # whoever ended it knew the old one only
                self._inner.interrupt()
        inner = self._inner
        inner.connect(self._timeout)
        if not inner.live and self.live:  # an address of the web may be a file
            self.live = False
            self._pictures = Channel(1)
            if self._ends:
                self._pictures.stop()
        self.fps, self.size, self.length = inner.fps, inner.size, inner.length
        self.classes, self.files = inner.classes, inner.files
        self._health.longest_gap = inner.longest_gap
        self._connected_ns = time.monotonic_ns()
        self._health.connected(self._connected_ns, inner.fps)
        self._frames = 0
        self._answer_first(None)

    def _is_over(self) -> bool:
        """Read until nobody wants more, or the source is at an end that is one.

        Raises:
            FcnEdgeError: It was lost.
        """
        inner = self._inner
        while not self._ends:
            frame = inner.read(SLICE)
            now_ns = time.monotonic_ns()
            if frame is not None:
                self._frames += 1
                self._pictures.put(self._numbering.picture(frame))
                self._health.frame(now_ns, frame.image, inner.keyframes)
                continue
            if inner.state == "ended":
                if not inner.live:
                    return True
                raise SourceError(f"{self.id} ended the stream.", "Is it restarting?")
            if not inner.live:
                continue
            waiting = inner.state == "waiting_for_keyframe"
            self._health.nothing(now_ns, waiting)
            silent = self._health.silent_ns(now_ns) / NS_PER_S
            if silent >= (self._patience.keyframe if waiting else self._most_silence()):
                raise SourceError(f"{self.id} gave no frame for {silent:.1f} s.", "Check its network.")
        return True

    def _most_silence(self) -> float:
        if self._patience.asked:
            return self._patience.silent
        fps = self._health.expected_fps
        return max(self._silence, 10 / fps if fps else 0.0, 3 * self._health.longest_gap)

    def _lost(self, error: FcnEdgeError) -> None:
        """Say that it is lost and wait until it is time for the next attempt.

        Raises:
            FcnEdgeError: The error, where another attempt would make no sense.
        """
        if self._ends:
            return
        now_ns = lost_ns = time.monotonic_ns()
        message = prose_without_passwords(error.message)
        self._health.lost(now_ns, message)
        waits = self._answered or (self._wait and isinstance(error, SourceError))
        # a file would begin again
        if isinstance(error, UsageError) or not waits or not self.live:
            raise error
        self._answer_first(None)
        self._inner.close()
        self._note_life(now_ns)
        lost_for = (now_ns - self._lost_ns) / NS_PER_S if self._lost_ns is not None else 0.0
        persistent = error.persistent if isinstance(error, SourceError) else True
        until_ns = lost_ns + round(self._backoff.delay(lost_for, persistent) * NS_PER_S)
        while not self._ends and now_ns < until_ns:
            try:
                item_within(self._wake, min((until_ns - now_ns) / NS_PER_S, 1.0))
            except queue.Empty:
                self._health.lost(time.monotonic_ns(), message)
            now_ns = time.monotonic_ns()

    def _note_life(self, now_ns: int) -> None:
        """What the life of the connection that was lost says of the next."""
        lived = 0.0 if self._connected_ns is None else (now_ns - self._connected_ns) / NS_PER_S
        if self._lost_ns is None or (self._frames and lived >= self._patience.settled):
            self._backoff.reset()
            self._lost_ns = now_ns
        if self._connected_ns is not None:
            few = self._frames < FEW_FRAMES and self._health.expected_fps is None
            self._silence = min(2 * self._silence, self._patience.most) if few else self._patience.silent
        self._connected_ns = None

    def _answer_first(self, error: BaseException | None) -> None:
        if not self._answered:
            self._answered = True
            self._answer.put(error)

    def _count_out(self, old: Connection) -> None:
        self._dropped_before += old.dropped
        self._damaged_before += old.damaged
        if old.packets_lost is not None:
            self._lost_before = (self._lost_before or 0) + old.packets_lost

    def _changed(self, change: StateChange) -> None:
        if not self._ends:
            self.state = change.state
            self._tell(change)

    def _tell(self, change: StateChange) -> None:
        if self.on_change is not None:
            self.on_change(change)


def supervised(address: SourceAddress) -> Connection:
    """A connection to what an address names, supervised if it is live and can be connected again.

    Raises:
        UsageError: The address makes no sense, or names a kind of source that this version does not read.
        SourceError: There is no such file.
    """
    connection = address.connection()
    if not (connection.live and connection.reopens) or connection.tells:
        return connection
    fps, timeout = address.options.get("fps"), address.options.get("timeout")
    # what was asked for has been read by the connection, so that it is a number
    return SupervisedConnection(
        address.connection,
        expected_fps=None if fps is None else float(fps),
        patience=None if timeout is None else Patience.of(float(timeout)),
    )
