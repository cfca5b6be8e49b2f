"""Frames to masks with capture, inference and output overlapping in three threads.

    capture thread      read a frame, bring it to the network's size
    inference thread    run the network
    calling thread      scores to a mask, then whatever the caller does with it

Windows can be drawn in the main thread only, hence the last line. A live source keeps its newest frame and drops
those that nothing had time for; its frames are brought to the network's size in the inference thread, so that no work
goes into a frame that is dropped. Other sources wait, and every frame is processed.

An error in any stage reaches the caller after the results of the frames before it, as itself, once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from types import TracebackType

from typing_extensions import Self

from fcn_edge.backends.base import Job, Session
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.sources.base import SLICE, Connection
from fcn_edge.runtime.statistics import StreamStatistics

__all__ = ["Pipeline"]

WAITING = 2
"""Frames that may wait between two stages; more behind ``infer`` where a session's depth asks for them."""


class Pipeline:
    """Masks of the frames of a source, in order. Use it in a ``with`` block and iterate, once.

    The threads start with the iteration. Leaving the block stops and joins them; the source and the session stay the
    caller's to close.

    Args:
        session: Runs the network; nobody else may use it meanwhile.
        source: Gives the frames; it is connected when the first is read, where it is not yet.
        frames: Stop after this many results.
        seconds: Request no frame later than this after the first, and wait for none beyond it.
        unknown_below: Pixels of less confidence than this (0 to 1) get the model's void; it costs a softmax.

    Attributes:
        statistics: How fast the results came so far.
    """

    def __init__(
        self,
        session: Session,
        source: Connection,
        *,
        frames: int | None = None,
        seconds: float | None = None,
        unknown_below: float | None = None,
    ) -> None:
        self.statistics = StreamStatistics()
        self._session = session
        self._source = source
        self._frames = frames
        self._seconds = seconds
        self._unknown_below = unknown_below
        self._captured: Channel[tuple[Frame, int, Job | None]] = (
            Channel(1, newest=True) if source.live else Channel(WAITING)
        )
        # what waits here grows old: no more than the overlap needs where frames are live. Else the device has as many
        # jobs as keep it busy while the caller is slow with one; two let a processor go on, too
        self._inferred: Channel[tuple[Frame, Job]] = Channel(1 if source.live else max(WAITING, session.depth))
        self._threads = [
            threading.Thread(target=work, name=f"fcn-edge {name}", daemon=True)
            for name, work in (("capture", self._capture), ("inference", self._infer))
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._captured.stop()
        self._inferred.stop()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def __iter__(self) -> Generator[Result, None, None]:
        self.statistics.start(time.monotonic_ns())
        for thread in self._threads:
            thread.start()
        for frame, job in self._inferred:
            segmentation = self._finished(frame, job)
            done = time.monotonic_ns()
            latency = done - frame.captured_ns
            try:
                yield Result(frame, segmentation, latency, self.statistics)
            finally:  # the last frame counts too when the caller leaves the loop
                now = time.monotonic_ns()
                self.statistics.add(job.timing, latency, now - done, now)
                self.statistics.dropped = self._captured.dropped + self._source.dropped
            if self.statistics.frames == self._frames:
                return

    def _finished(self, frame: Frame, job: Job) -> Segmentation:
        if self._unknown_below is None:
            return Segmentation(frame.image, self._session.postprocess(job), self._session.spec, job.timing)
        labels, confidence = self._session.postprocess_with_confidence(job, self._unknown_below)
        return Segmentation(frame.image, labels, self._session.spec, job.timing, confidence)

    def _capture(self) -> None:
        try:
            for frame, capture_ns in self._timed_frames():
                job = None if self._source.live else self._session.preprocess(frame.image)
                if not self._captured.put((frame, capture_ns, job)):
                    break
            self._captured.end()
        except BaseException as error:
            self._captured.end(error)

    def _timed_frames(self) -> Iterator[tuple[Frame, int]]:
        """Frames and the nanoseconds it took to get each, within the limits."""
        # of a live source some are dropped: there the caller's side counts
        left = None if self._source.live else self._frames
        deadline = None if self._seconds is None else time.monotonic_ns() + round(self._seconds * NS_PER_S)
        while left is None or left > 0:
            started = time.monotonic_ns()
            frame = self._next_frame(deadline)
            if frame is None:
                return
            left = None if left is None else left - 1
            yield frame, time.monotonic_ns() - started

    def _next_frame(self, deadline: int | None) -> Frame | None:
        """The next frame; None at the end of the source or the time, and when nobody wants it any more."""
        while not self._captured.stopped:
            # short waits: a camera that gives nothing must not keep the threads from ending
            wait = SLICE if deadline is None else min(SLICE, (deadline - time.monotonic_ns()) / NS_PER_S)
            if wait <= 0:
                return None
            frame = self._source.read(wait)
            if frame is not None or self._source.state == "ended":
                return frame
        return None

    def _infer(self) -> None:
        try:
            for frame, capture_ns, preprocessed in self._captured:
                job = self._session.preprocess(frame.image) if preprocessed is None else preprocessed
                job.timing.capture = capture_ns
                self._session.infer(job)
                if self._source.live:  # the next frame would grow old behind this one
                    self._session.wait(job)
                if not self._inferred.put((frame, job)):
                    break
            self._inferred.end()
        except BaseException as error:
            self._inferred.end(error)
        finally:
            self._captured.stop()
