"""One source on its way into the network: the thread that reads it, and what it counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fcn_edge.backends.base import Job, Session
from fcn_edge.errors import FcnEdgeError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.intake import Intake
from fcn_edge.runtime.sources.base import SLICE, Connection
from fcn_edge.runtime.statistics import StreamStatistics

__all__ = ["WAITING", "Arrival", "Feed"]

WAITING = 2
"""Frames of a file that may wait between two stages."""


@dataclass(frozen=True, eq=False)
class Arrival:
    """What a feed hands over: a frame, or its end.

    Attributes:
        feed: Where it comes from.
        frame: The frame; None at the end.
        capture_ns: Nanoseconds that reading it took.
        job: The frame at the network's size, where that is made ahead.
        error: What ended the feed.
    """

    feed: Feed
    frame: Frame | None = None
    capture_ns: int = 0
    job: Job | None = None
    error: BaseException | None = None


class Feed:
    """A source, the session that its frames go through, and the thread that reads it.

    Frames of a live source are brought to the network's size in the inference thread, so that no work goes into a frame
    that is dropped; those of others here, ahead.

    Args:
        intake: Where the frames go.
        connection: Gives them; it is connected in the thread, where it is not yet.
        session: Their session; nobody else may use it meanwhile. One is made in the thread when left out, and closed by
            ``finish``.
        new_session: Makes it.
        frames: Read no more frames than this, unless the source is live, which drops some of them.

    Attributes:
        connection: The source.
        statistics: How fast its results came so far.
        late_before_inference: Frames that were too old for a mask to be made.
        paused: Its frames are not wanted for now. A live source is read on, so that it starts again with a new frame.
    """

    def __init__(
        self,
        intake: Intake[Arrival],
        connection: Connection,
        session: Session | None,
        new_session: Callable[[], Session],
        frames: int | None = None,
    ) -> None:
        self.connection = connection
        self.statistics = StreamStatistics()
        self.late_before_inference = 0
        self.paused = False
        self._session = session
        self._new_session = new_session
        self._owns_session = session is None
        self._frames = frames
        self._deadline: int | None = None
        self._stopped = False
        self._lane = intake.lane(WAITING)
        self._thread = threading.Thread(target=self._run, name="fcn-edge capture", daemon=True)

    @property
    def session(self) -> Session:
        """The session of its frames; there is one as soon as there is a frame."""
        assert self._session is not None
        return self._session

    @property
    def depth(self) -> int:
        """Jobs that keep the device busy, as far as the session is there to tell."""
        return 1 if self._session is None else self._session.depth

    @property
    def batch(self) -> int:
        """Frames that the network takes at once, as far as the session is there to tell."""
        return 1 if self._session is None else self._session.batch

    @property
    def dropped(self) -> int:
        """Frames that were skipped for newer ones, by now."""
        return self._lane.dropped + self.connection.dropped

    @property
    def late(self) -> int:
        """Frames that were older than a mask may be, by now."""
        return self.late_before_inference + self.statistics.late_after

    def count_losses(self) -> None:
        """Bring what is counted elsewhere into the statistics."""
        self.statistics.dropped = self.dropped
        self.statistics.late_before_inference = self.late_before_inference

    def start(self, deadline: int | None) -> None:
        """Start reading.

        Args:
            deadline: ``time.monotonic_ns()`` after which no frame is requested.
        """
        self._deadline = deadline
        self.statistics.start(time.monotonic_ns())
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end: what waits is still processed, then the feed ends. From any thread; waits for nothing.

        What is wrong with the source from now on is nobody's concern any more, and no error of the feed.
        """
        self._stopped = True

    def close(self) -> None:
        """Take nothing more of it, and forget what waits. From any thread; waits for nothing."""
        self.stop()
        self._lane.close()

    def finish(self) -> None:
        """Wait for the thread and give the session back; what waits is forgotten. May be called more than once."""
        self.close()
        if self._thread.ident is not None:
            self._thread.join()
        session, self._session = self._session, None
        if self._owns_session and session is not None:
            session.close()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self.connection.connect()
            if self.connection.live:  # an address of the web tells only now
                self._lane.keep_newest(1)
            if self._session is None:
                self._session = self._new_session()
                if self._session.batch == 1:  # else another session runs the network
                    self._session.warm_up(self.connection.size)
            for frame, capture_ns in self._timed_frames():
                job = None if self.connection.live else self.session.preprocess(frame.image)
                if not self._lane.put(Arrival(self, frame, capture_ns, job)):
                    return
        except BaseException as caught:
            error = None if self._stopped and isinstance(caught, FcnEdgeError) else caught
        self._lane.put_last(Arrival(self, error=error))

    def _timed_frames(self) -> Iterator[tuple[Frame, int]]:
        """Frames and the nanoseconds it took to get each, within the limits."""
        # of a live source some are dropped: there the caller's side counts
        left = None if self.connection.live else self._frames
        while left is None or left > 0:
            started = time.monotonic_ns()
            frame = self._next_frame()
            if frame is None:
                return
            if self.paused:
                continue
            left = None if left is None else left - 1
            yield frame, time.monotonic_ns() - started

    def _next_frame(self) -> Frame | None:
        """The next frame; None at the end of the source or the time, and when nobody wants it any more."""
        while not (self._lane.closed or self._stopped):
            # short waits: a camera that gives nothing must not keep the threads from ending
            deadline = self._deadline
            wait = SLICE if deadline is None else min(SLICE, (deadline - time.monotonic_ns()) / NS_PER_S)
            if wait <= 0:
                return None
            if self.paused and not self.connection.live:
                time.sleep(wait)
                continue
            frame = self.connection.read(wait)
            if frame is not None or self.connection.state == "ended":
                return frame
        return None
