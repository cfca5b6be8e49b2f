"""The one run loop: frames of a source through a network to sinks, for commands and for programs that import it.

    report = fcn_edge.run(["drive.mp4"], segment, ["masks.mp4"], [print])      # to the end
    for result in fcn_edge.stream(segment, "drive.mp4"): ...                   # frame by frame

Every output hangs on results and events (``fcn_edge.runtime.events``), none on the inside of the loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from fcn_edge.backends.base import Session
from fcn_edge.runtime.events import Listener
from fcn_edge.runtime.loop import Loop
from fcn_edge.runtime.report import Report
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import AnySink, Overlays, check_series, checked_sinks
from fcn_edge.runtime.source_set import AnySource, Sources
from fcn_edge.runtime.stream_options import StreamOptions

__all__ = ["AnySource", "run", "stream"]


def run(
    sources: AnySource | Sequence[AnySource] | Sources,
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
    token: str | None = None,
) -> Report:
    """Masks of all frames of one or more sources, to every sink.

    Several sources share the network in turns, or its batches where it takes several frames at once. One that fails is
    told of (``SourceChanged``) and left, and the others go on; the report has the error of the first. Each has files
    and windows of its own: ``out-front.mp4`` and ``masks/front`` of ``out.mp4`` and ``masks``, called by the file or
    stream, or by ``#name=front`` behind the address. All other sinks take the results of all.

    What it opens, it closes: sources and sinks that were given as texts or paths. Files are whole when it returns or
    raises. Ctrl-C ends it as the end of the source would, and is in the report. Windows need the main thread. A sink
    that fails is told of (``SinkFailed``) and left; the run ends with its error when no sink is left, and has it in the
    report else.

    Args:
        sources: Where frames come from; a ``Sources`` may be changed meanwhile.
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
        token: Password of the user ``viewer``, for who opens hosted video from another machine. Without one, only this
            machine may.

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
    options = StreamOptions(frames, seconds, unknown_below, realtime, max_age)
    with Loop(sources, engine, given, listeners, options, session=session) as loop:
        loop.warm_up()
        loop.open_sinks(overlays or Overlays(), segment, keep, token)
        return loop.to_end()


def stream(
    segmenter: Segmenter,
    source: AnySource | Sequence[AnySource] | Sources,
    *,
    listeners: Sequence[Listener] = (),
    frames: int | None = None,
    seconds: float | None = None,
    unknown_below: float | None = None,
    realtime: bool = False,
    max_age: float | None = None,
) -> Iterator[Result]:
    """Masks of the frames of one or more sources, capture, inference and your loop overlapping.

    Leaving the loop ends the threads and closes the source, unless the caller opened it.

    Args:
        segmenter: Makes the masks; it may be called for other frames meanwhile.
        source: What names the source, or a connection to it; several share the network in turns, and a ``Sources`` may
            be changed meanwhile.
        listeners: Told what happens, event by event; all but ``Ended``, which needs somebody who waits for the end.
        frames: Stop after this many, >= 1.
        seconds: Request no frame later than this after the first, > 0, and wait for none beyond it.
        unknown_below: Pixels of less confidence than this (0 to 1) get the model's void; it costs a softmax.
        realtime: Play a file at the pace of its own times, as a camera would: what nothing has time for is dropped.
        max_age: Seconds from the capture after which a mask is worthless, > 0: such frames are dropped, and counted as
            late.

    Yields:
        One result per frame, those of each source in order: what a ``Segmentation`` has, and index, time, source and
        statistics. A live source skips frames where the loop is slower than it is.

    Raises:
        UsageError: An argument makes no sense.
        SourceError: The source is missing, empty, unreadable or lost; of several, such a one is told of and left, and
            this is raised where none gave a frame.
    """
    options = StreamOptions(frames, seconds, unknown_below, realtime, max_age)
    with Loop(source, segmenter, (), listeners, options) as loop, closing(loop.results()) as results:
        yield from results
