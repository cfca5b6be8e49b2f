"""The one loop that every run goes through: sources connected, results to sinks, events told, everything closed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from types import TracebackType

from typing_extensions import Self

from fcn_edge.backends.base import Session
from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Ended, Event, FrameDone, Listener, Started, Waiting
from fcn_edge.runtime.feed import Feed
from fcn_edge.runtime.outputs import Outputs
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.report import Report, SourceReport, with_skews
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import Overlays, Sink, SinkContext
from fcn_edge.runtime.sinks.rtsp.server import RtspServers
from fcn_edge.runtime.sinks.shared_video import SharedVideo
from fcn_edge.runtime.source_events import SourceEvents
from fcn_edge.runtime.source_set import AnySource, Source, Sources
from fcn_edge.runtime.statistics import StreamStatistics
from fcn_edge.runtime.stream_options import StreamOptions

__all__ = ["Loop"]

MOST_REPORTS = 1000
WAITING_EVERY_NS = NS_PER_S


class Loop:
    """One run: its sources, its sessions and its threads, for as long as the ``with`` block lasts.

    A source that is alone is connected on the way in, and what is wrong with it is raised there. Several are connected
    by threads of their own, and one that fails is told of and left.

    Args:
        sources: Where frames come from.
        engine: A loaded model.
        sinks: Where results go.
        listeners: Told what happens.
        options: Limits of the stream.
        session: A session that nobody else uses meanwhile; a new one when left out.

    Raises:
        UsageError: There is no source, or one makes no sense.
        SourceError: A source is missing.
    """

    def __init__(
        self,
        sources: AnySource | Sequence[AnySource] | Sources,
        engine: Segmenter,
        sinks: Sequence[str | Sink],
        listeners: Sequence[Listener],
        options: StreamOptions,
        session: Session | None = None,
    ) -> None:
        self._sources = _set_of(sources)
        self._alone = self._sources.fixed and len(self._sources) == 1
        self._engine = engine
        self._listeners = listeners
        self._options = options
        self._given_session = session
        self._outputs = Outputs(sinks, self._tell, options.max_age_ns)
        self._events = SourceEvents(self._tell)
        self._context: SinkContext | None = None
        self._joined: list[Source] = []
        self._with_sinks: set[str] = set()
        self._left: list[Source] = []
        # of a run that lasts for months, those of the newest sources
        self._reports: deque[SourceReport] = deque(maxlen=MOST_REPORTS)
        self._errors: deque[FcnEdgeError] = deque(maxlen=MOST_REPORTS)
        self._finished = 0
        self._heard_ns = time.monotonic_ns()
        self._stack = ExitStack()
        self._videos: dict[str, SharedVideo] = {}

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException as error:
            self._close(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def warm_up(self) -> None:
        """Run once on an even frame of the source's size, so that the first real one takes as long as the others."""
        for source in self._joined:
            if source.feed is not None and self._alone:
                source.feed.session.warm_up(source.connection.size)

    def open_sinks(self, overlays: Overlays, segment: float | None, keep: int | None, token: str | None = None) -> None:
        """Open the sinks of the source that is alone, or those that several have in common."""
        self._context = SinkContext(
            overlays,
            segment=segment,
            keep=keep,
            max_age_ns=self._options.max_age_ns,
            servers=self._shared.enter_context(RtspServers(token)),
            token=token,
        )
        if self._alone:
            self._outputs.open(self._context_of(self._joined[0]))
        else:
            live = any(source.connection.live for source in self._joined)
            self._outputs.open_common(replace(self._context, live=live, shared=True))

    def results(self) -> Generator[Result, None, None]:
        """The one loop: each result after the sinks took it."""
        self._tell(Started(tuple(source.connection for source in self._joined), self._engine.spec, self._total()))
        with closing(iter(self._pipeline)) as results:
            for result in results:
                self._open_sinks_of(result.source)
                self._outputs.write(result, all_open=len(self._with_sinks) == len(self._joined))
                self._events.tell_news()
                self._heard_ns = time.monotonic_ns()
                self._tell(FrameDone(result, self._pipeline.statistics))
                self._finished += 1
                yield result
                if self._outputs.ended:
                    return
        self._raise_where_nothing_came()

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
        self._outputs.close(hurry=interrupted)
        error = error or self._outputs.error or next(iter(self._errors), None)
        # the statistics count the frame in whose sink it failed, too: its mask was made
        if error is not None and not self._finished:
            raise error
        self._close(error)
        reports = with_skews(self._reports)
        report = Report(self._pipeline.statistics, reports, error, interrupted, self._outputs.reports())
        self._tell(Ended(report))
        return report

    def _open(self) -> None:
        options = self._options
        pipeline = Pipeline(
            self._engine.session_for_stream,
            frames=options.frames,
            seconds=options.seconds,
            unknown_below=options.unknown_below,
            max_age_ns=options.max_age_ns,
            on_end=self._source_ended,
            on_idle=self._idle,
        )
        self._pipeline = pipeline
        self._stack.callback(self._close_sources)
        self._sessions = self._stack.enter_context(ExitStack())
        # what the sinks share outlives them
        self._shared = self._stack.enter_context(ExitStack())
        self._shared.callback(self._close_videos)
        # the threads end before sessions and sources go; the sinks are whole even where a source keeps its thread
        # waiting, for they are closed first
        self._stack.enter_context(pipeline)
        self._stack.callback(self._interrupt_sources)
        self._stack.callback(self._outputs.close_what_is_left)
        self._sources.attach(pipeline, self._join)
        self._alone = self._alone and bool(self._joined)  # else it was removed before anything ran
        if self._alone:
            self._connect(self._joined[0])

    def _connect(self, source: Source) -> None:
        """Connect the source that is alone.

        Raises:
            FcnEdgeError: It is missing; no matter where it was removed meanwhile.
        """
        self._events.tell_news()
        try:
            source.connection.connect()
        except FcnEdgeError:
            if not source.removed:
                raise
        self._events.tell_news()

    def _join(self, source: Source) -> Session | None:
        """Take a source in before it is read; gives the session that it is to use, if it is a certain one."""
        if self._options.realtime:
            source.pace()
        self._events.follow(source.connection)
        self._joined.append(source)
        if source.connection.state == "idle":
            self._events.connecting(source.connection)
        if not self._alone:
            return None
        if self._given_session is not None:
            return self._given_session
        return self._sessions.enter_context(self._engine.session_for_stream())

    def _source_ended(self, feed: Feed, error: BaseException | None) -> None:
        """A source has come to its end, and all its results are out.

        Raises:
            BaseException: What ended it, where it is alone or no source can be to blame.
        """
        source = self._sources.ended(feed, error)
        source.close()
        self._outputs.close_for(source.id)
        self._close_video_of(source.id)
        self._with_sinks.discard(source.id)
        self._report(source, error)
        if error is not None:
            if self._alone or not isinstance(error, FcnEdgeError):
                raise error
            self._errors.append(error)

    def _idle(self) -> None:
        self._events.tell_news()
        now_ns = time.monotonic_ns()
        if now_ns - self._heard_ns >= WAITING_EVERY_NS:
            self._heard_ns = now_ns
            self._tell(Waiting())

    def _report(self, source: Source, error: BaseException | None) -> None:
        if source in self._joined:  # it may not have come so far
            self._joined.remove(source)
            state = self._events.end(source.connection, error)
            statistics = StreamStatistics() if source.feed is None else source.feed.statistics
            self._reports.append(SourceReport.of(source.connection, state, statistics.frames, statistics.dropped))

    def _interrupt_sources(self) -> None:
        for source in tuple(self._joined):
            source.interrupt()

    def _close_sources(self) -> None:
        self._left = [*self._sources.detach()]
        for source in self._left:
            source.close()

    def _close(self, error: BaseException | None) -> None:
        self._stack.close()
        left, self._left = self._left, []
        for source in left:
            self._report(source, error if self._alone else None)

    def _open_sinks_of(self, name: str) -> None:
        """Open the sinks that one of several sources has for itself, with its first result."""
        if self._context is None or name in self._with_sinks:
            return
        self._with_sinks.add(name)
        if self._alone:
            return
        [source] = [one for one in self._joined if one.id == name]
        self._outputs.open_for(name, self._context_of(source))

    def _context_of(self, source: Source) -> SinkContext:
        assert self._context is not None
        connection = source.connection
        video = None
        if self._outputs.streams:
            video = self._videos[source.id] = SharedVideo(self._context.overlay, connection.fps)
        return replace(
            self._context,
            fps=connection.fps,
            peak_fps=connection.peak_fps,
            single=1 in (self._options.frames, connection.length),
            reads=frozenset().union(*(one.connection.files for one in self._joined)),
            live=connection.live,
            source="" if self._alone else source.label,
            video=video,
        )

    def _close_videos(self) -> None:
        for source in tuple(self._videos):
            self._close_video_of(source)

    def _close_video_of(self, source: str) -> None:
        video = self._videos.pop(source, None)
        if video is not None:
            video.close()

    def _total(self) -> int | None:
        lengths = [self._options.frames]
        if self._alone:
            lengths += [source.connection.length for source in self._joined]
        return min(filter(None, lengths), default=None)

    def _raise_where_nothing_came(self) -> None:
        if self._errors and not self._finished:
            raise self._errors[0]

    def _tell(self, event: Event) -> None:
        self._outputs.hear(event)
        for listener in self._listeners:
            listener(event)


def _set_of(sources: AnySource | Sequence[AnySource] | Sources) -> Sources:
    if isinstance(sources, Sources):
        return sources
    given = [sources] if isinstance(sources, AnySource) else sources
    if not given:
        raise UsageError("No source was given.", "Give one, or a Sources that stays open.")
    return Sources(*given, fixed=True)
