"""The one run loop: frames of a source through a network to sinks, for commands and for programs that import it.

    report = fcn_edge.run(["drive.mp4"], segment, ["masks.mp4"], [print])      # to the end
    for result in fcn_edge.stream(segment, "drive.mp4"): ...                   # frame by frame

Every output hangs on results and events (``fcn_edge.runtime.events``), none on the inside of the loop.
"""

from __future__ import annotations

import math
import queue
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType

import numpy as np
from typing_extensions import Self

from fcn_edge.backends.base import Session
from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.io.redaction import prose_without_passwords
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Ended, Event, FrameDone, GradeChanged, Listener, SourceChanged, Started
from fcn_edge.runtime.outputs import Outputs
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.report import Report, SourceReport
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import AnySink, Overlays, Sink, SinkContext, check_series, checked_sinks
from fcn_edge.runtime.sources import Connection, SourceAddress
from fcn_edge.runtime.sources.base import State, StateChange
from fcn_edge.runtime.sources.paced import PacedConnection
from fcn_edge.runtime.sources.supervised import supervised

__all__ = ["AnySource", "run", "stream"]

AnySource = str | int | Path | SourceAddress | Connection
"""What names a source, or a connection to one; a connection stays the caller's to close."""


def run(
    sources: AnySource | Sequence[AnySource],
    engine: Segmenter,
    sinks: AnySink | Sequence[AnySink] = (),
    listeners: Sequence[Listener] = (),
    *,
    frames: int | None = None,
    seconds: float | None = None,
    unknown_below: float | None = None,
    realtime: bool = False,
    max_age: float | None = None,
    overlays: Overlays | None = None,
    session: Session | None = None,
    segment: float | None = None,
    keep: int | None = None,
) -> Report:
    """Masks of all frames of a source, to every sink.

    What it opens, it closes: sources and sinks that were given as texts or paths. Files are whole when it returns or
    raises. Ctrl-C ends it as the end of the source would, and is in the report. Windows need the main thread. A sink
    that fails is told of (``SinkFailed``) and left; the run ends with its error when no sink is left, and has it in the
    report else.

    Args:
        sources: Where frames come from. One, in this version.
        engine: A loaded model.
        sinks: Where masks go: texts as on the command line, paths, or sinks, which stay the caller's to close.
        listeners: Told what happens, event by event.
        frames: Stop after this many, >= 1.
        seconds: Request no frame later than this after the first, > 0, and wait for none beyond it.
        unknown_below: Pixels of less confidence than this (0 to 1) get the model's void; it costs a softmax.
        realtime: Play a file at the pace of its own times, as a camera would: what nothing has time for is dropped.
        max_age: Seconds from the capture after which a mask is worthless, > 0: such frames are dropped, and counted as
            late.
        overlays: Draws overlays for the sinks that show them; at half opacity and without a legend when left out.
        session: A session of the engine to run the network in, which nobody else uses meanwhile; a new one when left
            out.
        segment: Seconds after which videos go on in a new file: ``out-000000.mp4`` and so on in place of ``out.mp4``.
        keep: Bytes that the files of one such series may take; its oldest are deleted. Those of earlier runs count.

    Returns:
        What was done. An error that came after the first frame was in a sink is in it: ``report.raise_error()`` raises
        it.

    Raises:
        UsageError: An argument makes no sense.
        SourceError: The source is missing, empty, unreadable or lost, before the first frame.
        FcnEdgeError: Something else failed before the first frame was in a sink.
    """
    given = checked_sinks(sinks)
    check_series(given, segment, keep)
    with _Run(sources, engine, listeners, frames, seconds, unknown_below, realtime, max_age, session) as running:
        running.warm_up()
        running.open_sinks(given, overlays or Overlays(), segment, keep)
        return running.to_end()


def stream(
    segmenter: Segmenter,
    source: AnySource,
    *,
    listeners: Sequence[Listener] = (),
    frames: int | None = None,
    seconds: float | None = None,
    unknown_below: float | None = None,
    realtime: bool = False,
    max_age: float | None = None,
) -> Iterator[Result]:
    """Masks of the frames of a source, capture, inference and your loop overlapping.

    Leaving the loop ends the threads and closes the source, unless the caller opened it.

    Args:
        segmenter: Makes the masks; it may be called for other frames meanwhile.
        source: What names the source, or a connection to it.
        listeners: Told what happens, event by event; all but ``Ended``, which needs somebody who waits for the end.
        frames: Stop after this many, >= 1.
        seconds: Request no frame later than this after the first, > 0, and wait for none beyond it.
        unknown_below: Pixels of less confidence than this (0 to 1) get the model's void; it costs a softmax.
        realtime: Play a file at the pace of its own times, as a camera would: what nothing has time for is dropped.
        max_age: Seconds from the capture after which a mask is worthless, > 0: such frames are dropped, and counted as
            late.

    Yields:
        One result per frame, in order: what a ``Segmentation`` has, and index, time, source and statistics. A live
        source skips frames where the loop is slower than it is.

    Raises:
        UsageError: An argument makes no sense.
        SourceError: The source is missing, empty, unreadable or lost.
    """
    with (
        _Run(source, segmenter, listeners, frames, seconds, unknown_below, realtime, max_age) as running,
        closing(running.results()) as results,
    ):
        yield from results


class _Run:
    """One run: its source connected, its session and its threads, for as long as the ``with`` block lasts."""

    def __init__(
        self,
        sources: AnySource | Sequence[AnySource],
        engine: Segmenter,
        listeners: Sequence[Listener],
        frames: int | None,
        seconds: float | None,
        unknown_below: float | None,
        realtime: bool,
        max_age: float | None,
        session: Session | None = None,
    ) -> None:
        if (frames is not None and frames < 1) or (seconds is not None and not seconds > 0):
            raise UsageError(
                "A run lasts 1 frame or more, and longer than 0 s.", "Leave the limit out to go to the end."
            )
        if seconds is not None and not math.isfinite(seconds * NS_PER_S):
            raise UsageError(f"seconds={seconds:g} is no time that ends.", "Leave it out to go to the end.")
        if max_age is not None and not 0 < max_age < math.inf:
            raise UsageError(f"max_age={max_age:g} is no age that a mask can have.", "Give seconds above 0.")
        source = _one(sources)
        self._owned = not isinstance(source, Connection)
        connection = source if isinstance(source, Connection) else supervised(_address(source))
        self._connection = PacedConnection(connection, leave_open=not self._owned) if realtime else connection
        self._changes: queue.SimpleQueue[StateChange] = queue.SimpleQueue()
        self._engine = engine
        self._listeners = listeners
        self._frames = frames
        self._seconds = seconds
        self._unknown_below = unknown_below
        self._max_age = max_age
        self._given_session = session
        self._state: State = self._connection.state
        self._outputs = Outputs(self._tell)
        self._finished = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException as error:
            self._stack.close()
            self._tell_state(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._tell_state(error)

    def warm_up(self) -> None:
        """Run once on an even frame of the source's size, so that the first real one takes as long as the others."""
        frame = np.empty((*(self._connection.size or self._session.size), 3), np.uint8)
        frame[...] = self._session.spec.normalization.mean_bgr
        self._session.labels(frame)

    def open_sinks(
        self, sinks: Sequence[str | Sink], overlays: Overlays, segment: float | None, keep: int | None
    ) -> None:
        """Open those that were given as texts."""
        source = self._connection
        single = 1 in (self._frames, source.length)
        self._outputs.open(
            sinks, SinkContext(overlays, source.fps, single, source.files, source.live, segment=segment, keep=keep)
        )

    def results(self) -> Generator[Result, None, None]:
        """The one loop: each result after the sinks took it."""
        lengths = filter(None, (self._frames, self._connection.length))
        self._tell(Started((self._connection,), self._session.spec, min(lengths, default=None)))
        with closing(iter(self._pipeline)) as results:
            for result in results:
                self._outputs.write(result)
                self._tell_changes()
                self._tell(FrameDone(result, self._pipeline.statistics))
                self._finished += 1
                yield result
                if self._outputs.ended:
                    return

    def to_end(self) -> Report:
        """Go through all results, close everything and say how it ended.

        Raises:
            FcnEdgeError: Something failed before the first result was in a sink.
        """
        error: FcnEdgeError | None = None
        interrupted = False
        try:
            with closing(self.results()) as results:
                for _ in results:
                    pass
        except KeyboardInterrupt:
            interrupted = True
        except FcnEdgeError as caught:
            error = caught
        self._outputs.close()
        error = error or self._outputs.error
        statistics = self._pipeline.statistics
        # the statistics count the frame in whose sink it failed, too: its mask was made
        if error is not None and not self._finished:
            raise error
        self._stack.close()
        self._tell_state(error)
        source = self._connection
        # a supervised source that was lost stays so, though its connection has been closed
        state = "lost" if self._state == "lost" else source.state
        about_source = SourceReport.of(source, state, statistics.frames, statistics.dropped)
        report = Report(statistics, (about_source,), error, interrupted, self._outputs.reports())
        self._tell(Ended(report))
        return report

    def _open(self) -> None:
        closes = self._owned or isinstance(self._connection, PacedConnection)
        if closes:
            self._stack.callback(self._connection.close)
        if self._connection.tells:
            self._listen()
        if self._connection.state == "idle":
            if not self._connection.tells:
                self._changed("connecting")
            self._connection.connect()
        if self._connection.tells:
            self._tell_changes()
        else:
            self._tell_state()
        self._session = self._given_session or self._engine.session_for_stream()
        if self._given_session is None:
            self._stack.callback(self._session.close)
        self._pipeline = self._stack.enter_context(
            Pipeline(
                self._engine.session_for_stream,
                frames=self._frames,
                seconds=self._seconds,
                unknown_below=self._unknown_below,
                max_age=self._max_age,
                on_idle=self._tell_changes,
            )
        )
        self._pipeline.add(self._connection, self._session)
        if closes:
            self._stack.callback(self._connection.interrupt)
        # left in reverse order: the sinks are whole even where a source keeps its thread waiting
        self._stack.callback(self._outputs.close_what_is_left)

    def _tell_state(self, error: BaseException | None = None) -> None:
        """Tell the state of the source, where it is another than was told last."""
        self._tell_changes()
        state = self._connection.state
        if self._connection.tells and (self._state == "lost" or (state != "ended" and not self._owned)):
            return  # its thread tells the rest; what was lost stays so, though it has been closed
        if state != self._state:
            message = error.message if state == "lost" and isinstance(error, FcnEdgeError) else ""
            self._changed(state, prose_without_passwords(message))

    def _listen(self) -> None:
        """Have the changes of the source come to the calling thread; what else listens still does."""
        also = self._connection.on_change

        def heard(change: StateChange) -> None:
            self._changes.put(change)
            if also is not None:
                also(change)

        self._connection.on_change = heard
        self._stack.callback(setattr, self._connection, "on_change", also)

    def _tell_changes(self) -> None:
        """Tell what the source has told since."""
        while True:
            try:
                change = self._changes.get_nowait()
            except queue.Empty:
                return
            self._tell(self._event_of(change))

    def _event_of(self, change: StateChange) -> Event:
        source = self._connection.id
        if change.of_grade and change.grade is not None:
            return GradeChanged(source, change.grade, change.message, change.state, change.unix_ns)
        self._state = change.state
        return SourceChanged(source, change.state, change.message, change.grade, change.unix_ns)

    def _changed(self, state: State, message: str = "") -> None:
        self._state = state
        self._tell(SourceChanged(self._connection.id, state, message))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _one(sources: AnySource | Sequence[AnySource]) -> AnySource:
    if isinstance(sources, AnySource):
        return sources
    if len(sources) != 1:
        raise UsageError(
            f"{len(sources) or 'No'} sources were given; this version runs one at a time.",
            "Give one, and run each further one in a thread or process of its own.",
        )
    return sources[0]


def _address(source: str | int | Path | SourceAddress) -> SourceAddress:
    return source if isinstance(source, SourceAddress) else SourceAddress.of(source)
