"""Frames to masks with capture, inference and output overlapping in threads.

    capture threads     one per source: read a frame, bring it to the network's size
    inference thread    run the network, for all sources in turns, or for several at once where it takes them
    calling thread      scores to a mask, then whatever the caller does with it

Windows can be drawn in the main thread only, hence the last line. A live source keeps its newest frame and drops
those that nothing had time for; its frames are brought to the network's size in the inference thread, so that no work
goes into a frame that is dropped. Other sources wait, and every frame is processed.

An engine that takes several frames at once gets one of each source that has some, and waits for no other. A session of
its own runs the network for all of them, and each frame is preprocessed and postprocessed by the session of its source.

An error in a source's thread, or of its frames in the network, ends that source and reaches the caller after the
results of the frames before it, as itself, once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from typing_extensions import Self

from fcn_edge.backends.base import Job, Session
from fcn_edge.errors import FrameError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.feed import WAITING, Arrival, Feed
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.intake import Intake
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.sources.base import SLICE, Connection
from fcn_edge.runtime.statistics import StreamStatistics

__all__ = ["Pipeline"]


class Pipeline:
    """Masks of the frames of one or more sources, those of each in order. Use it in a ``with`` block and iterate, once.

    Threads start with the iteration. Leaving the block stops and joins them; connections, and sessions that were
    given, stay the caller's to close. Sources that have frames take turns.

    Args:
        new_session: Makes a session for a source that is added without one.
        frames: Stop after this many results.
        seconds: Request no frame later than this after the first, and wait for none beyond it.
        unknown_below: Pixels of less confidence than this (0 to 1) get the model's void; it costs a softmax.
        max_age_ns: Nanoseconds from the capture after which a mask is worthless: such a frame is dropped, before
            inference where it is that old already, and counted as late.
        on_end: Told, in the calling thread, that a feed has ended, and what ended it; when left out, what ended a feed
            is raised there.
        on_idle: Called in the calling thread while no result comes, about ten times a second.

    Attributes:
        statistics: How fast the results came so far.
        keep_open: Wait for further sources when all have ended.
    """

    def __init__(
        self,
        new_session: Callable[[], Session],
        *,
        frames: int | None = None,
        seconds: float | None = None,
        unknown_below: float | None = None,
        max_age_ns: int | None = None,
        on_end: Callable[[Feed, BaseException | None], None] | None = None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.statistics = StreamStatistics()
        self.keep_open = False
        self._make_session = new_session
        self._frames = frames
        self._seconds = seconds
        self._unknown_below = unknown_below
        self._max_age_ns = max_age_ns
        self._on_end = on_end or _raised
        self._on_idle = on_idle
        self._intake: Intake[Arrival] = Intake()
        self._inferred: Channel[list[tuple[Arrival, Job | None]]] | None = None
        self._network: Session | None = None
        self._made = ExitStack()
        self._inference = threading.Thread(target=self._infer, name="fcn-edge inference", daemon=True)
        self._lock = threading.Lock()
        self._feeds: list[Feed] = []
        self._before = StreamStatistics()  # of feeds that are over; only what they lost
        self._deadline: int | None = None

    @classmethod
    def of_one(cls, session: Session, connection: Connection, **how: Any) -> Self:
        """A pipeline of one source, whose frames go through a session that nobody else uses meanwhile.

        Args:
            session: Runs the network.
            connection: Gives the frames.
            how: What the constructor takes by name.
        """
        pipeline = cls(lambda: session, **how)
        pipeline.add(connection, session)
        pipeline._network = session
        return pipeline

    def add(self, connection: Connection, session: Session | None = None) -> Feed:
        """Take a source in, from any thread, also while others run.

        Args:
            connection: Gives the frames; it is connected in the thread that reads it, where it is not yet.
            session: Its session, which nobody else may use meanwhile; a new one when left out.

        Returns:
            The feed, which can be paused and stopped.
        """
        # where others are read too, or some frames are late, nobody knows how many of the results will be this one's
        alone = None if self._feeds or self._max_age_ns is not None else self._frames
        if session is not None:
            self._tell(session)
        feed = Feed(self._intake, connection, session, self._new_session, alone)
        with self._lock:
            self._feeds.append(feed)
            if self._inferred is not None:
                feed.start(self._deadline)
        return feed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._intake.close()
        if self._inferred is not None:
            self._inferred.stop()
        if self._inference.ident is not None:
            self._inference.join()
        for feed in self._feeds:
            feed.stop()
        for feed in self._feeds:
            feed.finish()

    def __iter__(self) -> Generator[Result, None, None]:
        self._start()
        try:
            while (taken := self._next()) is not None:
                for arrival, job in taken:
                    if arrival.frame is None or job is None:
                        self._ended(arrival)
                        continue
                    yield from self._result(arrival.feed, arrival.frame, job)
                    if self.statistics.frames == self._frames:
                        return
        finally:
            self._count_losses()

    def _new_session(self) -> Session:
        session = self._make_session()
        self._tell(session)
        return session

    def _tell(self, session: Session) -> None:
        """Let a session know what its frames will be asked for."""
        session.expects_confidence = self._unknown_below is not None

    def _start(self) -> None:
        now = time.monotonic_ns()
        self.statistics.start(now)
        with self._lock:
            self._deadline = None if self._seconds is None else now + round(self._seconds * NS_PER_S)
            # what waits here grows old: no more than the overlap needs where frames are live. Else the device has as
            # many jobs as keep it busy while the caller is slow with one; two let a processor go on, too
            live = any(feed.connection.live for feed in self._feeds)
            self._inferred = Channel(1 if live else max([WAITING, *(feed.depth for feed in self._feeds)]))
            for feed in self._feeds:
                feed.start(self._deadline)
        self._inference.start()

    def _next(self) -> list[tuple[Arrival, Job | None]] | None:
        """What comes next, those together that were inferred together; None when nothing will any more."""
        assert self._inferred is not None
        while self._feeds or self.keep_open:
            with suppress(queue.Empty):
                return self._inferred.take(SLICE)
            self._on_idle()
        return None

    def _result(self, feed: Feed, frame: Frame, job: Job) -> Generator[Result, None, None]:
        segmentation = self._finished(feed.session, frame, job)
        done = time.monotonic_ns()
        both = self.statistics, feed.statistics
        if frame.is_older(self._max_age_ns, done):
            for statistics in both:
                statistics.add_late(done)
            return
        latency = done - frame.captured_ns
        try:
            yield Result(frame, segmentation, latency, feed.statistics)
        finally:  # the last frame counts too when the caller leaves the loop
            now = time.monotonic_ns()
            for statistics in both:
                statistics.add(job.timing, latency, now - done, now)
            self._count_losses()

    def _count_losses(self) -> None:
        """Bring what is counted elsewhere into the statistics."""
        for feed in self._feeds:
            feed.count_losses()
        self.statistics.dropped = self._before.dropped + sum(feed.statistics.dropped for feed in self._feeds)
        late = sum(feed.statistics.late_before_inference for feed in self._feeds)
        self.statistics.late_before_inference = self._before.late_before_inference + late

    def _finished(self, session: Session, frame: Frame, job: Job) -> Segmentation:
        if self._unknown_below is None:
            return Segmentation(frame.image, session.postprocess(job), session.spec, job.timing)
        labels, confidence = session.postprocess_with_confidence(job, self._unknown_below)
        return Segmentation(frame.image, labels, session.spec, job.timing, confidence)

    def _ended(self, arrival: Arrival) -> None:
        """A feed has ended and nothing of it is on its way any more."""
        feed = arrival.feed
        feed.finish()
        feed.count_losses()
        with self._lock:
            self._feeds.remove(feed)
        self._before.dropped += feed.statistics.dropped
        self._before.late_before_inference += feed.statistics.late_before_inference
        self._on_end(feed, arrival.error)

    def _infer(self) -> None:
        assert self._inferred is not None
        batch = 1  # until a session has told
        try:
            with self._made:
                while arrivals := self._intake.take_many(batch):
                    batch = max(batch, *(arrival.feed.batch for arrival in arrivals))
                    preprocessed = [self._with_job(arrival) for arrival in arrivals if not self._dropped_late(arrival)]
                    self._run_network(preprocessed)
                    if not self._inferred.put(preprocessed):
                        break
            self._inferred.end()
        except BaseException as error:
            self._inferred.end(error)
        finally:
            self._intake.close()

    def _dropped_late(self, arrival: Arrival) -> bool:
        if arrival.frame is None or not arrival.frame.is_older(self._max_age_ns, time.monotonic_ns()):
            return False
        arrival.feed.late_before_inference += 1
        return True

    def _with_job(self, arrival: Arrival) -> tuple[Arrival, Job | None]:
        """The frame, preprocessed; no job at the end of a feed, and where the frame is none that can be processed."""
        feed, frame = arrival.feed, arrival.frame
        if frame is None:
            return arrival, None
        try:
            job = arrival.job or feed.session.preprocess(frame.image)
        except FrameError as error:
            feed.close()
            return Arrival(feed, error=error), None
        job.timing.capture = arrival.capture_ns
        return arrival, job

    def _run_network(self, preprocessed: list[tuple[Arrival, Job | None]]) -> None:
        """Infer the jobs: in the session of the one frame, or all at once in that which is there for it."""
        jobs = [(arrival.feed, job) for arrival, job in preprocessed if job is not None]
        if not jobs:
            return
        feed, job = jobs[0]
        if feed.batch == 1:
            session = feed.session
            session.infer(job)
        else:
            session = self._session_of_batches()
            session.infer_batch([job for _, job in jobs])
        for feed, job in jobs:
            if feed.connection.live:  # the next frame would grow old behind this one
                session.wait(job)

    def _session_of_batches(self) -> Session:
        if self._network is None:
            self._network = self._made.enter_context(self._new_session())
        return self._network


def _raised(_feed: Feed, error: BaseException | None) -> None:
    if error is not None:
        raise error
