"""The sinks of a run: one that fails is told of and left, and the others go on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from fcn_edge.errors import FcnEdgeError, UsageError
from fcn_edge.io.redaction import without_passwords
from fcn_edge.runtime.events import Event, GradeChanged, SinkFailed, SourceChanged
from fcn_edge.runtime.report import SinkReport
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import (
    Sink,
    SinkContext,
    is_for_all,
    is_mask_of,
    is_same_file,
    is_stream,
    of_source,
    open_sink,
    prepare_sink,
)

__all__ = ["Outputs"]

MOST_REPORTS = 1000
"""Of sinks of sources that are over; a run may last for months."""


@dataclass
class _Output:
    """A sink, without one where it could not be opened.

    Attributes:
        too_old: Masks that had grown too old when its turn came.
        text: What it was opened by; empty where it was given as a sink.
    """

    sink: Sink | None
    name: str
    opened: bool
    source: str | None = None
    error: FcnEdgeError | None = None
    too_old: int = 0
    text: str = ""


class Outputs:
    """The sinks of one run.

    Args:
        sinks: What was given: texts, which are opened and closed here, or sinks, which stay the caller's to close.
        tell: Publishes an event.
        max_age_ns: Nanoseconds from the capture after which a mask is worthless; None where none is. The sinks take
            their turns, and one that is slow lets it grow old for those behind it.

    Attributes:
        error: The error of the first that failed; None where all are well.
        streams: Some send video on as it comes, for which a file of the same source is encoded only once.
    """

    def __init__(
        self, sinks: Sequence[str | Sink], tell: Callable[[Event], None], max_age_ns: int | None = None
    ) -> None:
        self.error: FcnEdgeError | None = None
        self._given = sinks
        self.streams = any(isinstance(given, str) and is_stream(given) for given in sinks)
        self._all_common = all(_is_common(given) for given in sinks)
        self._tell = tell
        self._max_age_ns = max_age_ns
        self._outputs: list[_Output] = []
        self._over: deque[SinkReport] = deque(maxlen=MOST_REPORTS)

    @property
    def ended(self) -> bool:
        """One of them wants no more."""
        return any(output.sink.ended for output in self._outputs if output.sink is not None)

    def open(self, context: SinkContext) -> None:
        """Open all of them for the one source of the run.

        Raises:
            FcnEdgeError: One of them cannot be opened.
        """
        for given in self._given:
            self._add(given, context)

    def open_common(self, context: SinkContext) -> None:
        """Open those that take the results of all sources, where there are several, and prepare the others.

        Raises:
            FcnEdgeError: One of them cannot be opened.
        """
        for given in self._given:
            if _is_common(given):
                self._add(given, context)
            elif isinstance(given, str):
                prepare_sink(given, context)  # frames do not wait for it when each source gets its own

    def open_for(self, source: str, context: SinkContext) -> None:
        """Open those that each of several sources has for itself; one that cannot be opened has failed.

        Args:
            source: Id of the source.
            context: What the stream is; the sinks are called by its ``source``.
        """
        for given in self._given:
            if isinstance(given, str) and not is_for_all(given):
                text = of_source(given, context.source)
                try:
                    self._add(text, context, source)
                except FcnEdgeError as error:
                    failed = _Output(None, without_passwords(text), False, source)
                    self._outputs.append(failed)
                    self._failed(failed, error)

    def write(self, result: Result, all_open: bool = True) -> None:
        """Hand a result to all that take it and have not failed.

        Args:
            result: The result.
            all_open: All sources have the sinks that they are to have for themselves.

        Raises:
            FcnEdgeError: None is left, and none will come; the error of the first that failed.
        """
        for output in self._outputs:
            if output.error is None and output.sink is not None and output.source in (None, result.source):
                if result.frame.is_older(self._max_age_ns, time.monotonic_ns()):
                    output.too_old += 1
                    continue
                try:
                    output.sink.write(result)
                except FcnEdgeError as error:
                    self._failed(output, error)
        if self.error is not None and (all_open or self._all_common) and all(output.error for output in self._outputs):
            raise self.error

    def hear(self, event: Event) -> None:
        """Tell an event to the sinks that it concerns."""
        source = event.source if isinstance(event, SourceChanged | GradeChanged) else None
        for given in self._given:
            if isinstance(given, Sink):
                given.heard(event)
        for output in self._outputs:
            concerns = source is None or output.source in (None, source)
            if output.opened and output.sink is not None and concerns:
                output.sink.heard(event)

    def close_for(self, source: str) -> None:
        """Close those that one of several sources has for itself."""
        own = [output for output in self._outputs if output.source == source]
        self._close(own)
        self._over.extend(_report(output) for output in own)
        self._outputs = [output for output in self._outputs if output.source != source]

    def close(self, hurry: bool = False) -> None:
        """Close those that were opened here; what goes wrong is told and in ``error``.

        Args:
            hurry: The run was interrupted.
        """
        self._close(self._outputs, hurry)

    def close_what_is_left(self) -> None:
        """Close those that ``close`` did not get to, because something else was raised."""
        _finish(self._outputs, hurry=True)
        with ExitStack() as sinks:
            for output in self._outputs:
                if output.opened and output.sink is not None:
                    output.opened = False
                    sinks.callback(output.sink.close)

    def reports(self) -> tuple[SinkReport, ...]:
        """What became of each."""
        return *self._over, *(_report(output) for output in self._outputs)

    def _add(self, given: str | Sink, context: SinkContext, source: str | None = None) -> None:
        if isinstance(given, str):
            for other in self._outputs:
                if other.text and is_same_file(given, other.text):
                    raise UsageError(
                        f"{without_passwords(given)} is written for another source or sink already.",
                        "Call sources or sinks otherwise (#name=...), so that their files have different names.",
                    )
                if other.text and (is_mask_of(given, other.text, context) or is_mask_of(other.text, given, context)):
                    raise UsageError(
                        f"{without_passwords(given)} and {other.name} would write one file.",
                        "Give the image another name, or the masks another folder.",
                    )
        sink = open_sink(given, context) if isinstance(given, str) else given
        text = given if isinstance(given, str) else ""
        self._outputs.append(_Output(sink, sink.name or type(sink).__name__, sink is not given, source, text=text))

    def _close(self, outputs: Sequence[_Output], hurry: bool = False) -> None:
        _finish(outputs, hurry)
        for output in reversed(outputs):
            if output.opened and output.sink is not None:
                output.opened = False
                try:
                    output.sink.close()
                except FcnEdgeError as error:
                    self._failed(output, error)

    def _failed(self, output: _Output, error: FcnEdgeError) -> None:
        output.error = error
        self.error = self.error or error
        self._tell(SinkFailed(output.name, error))
        if output.opened and output.sink is not None:
            output.opened = False
            with suppress(FcnEdgeError):
                output.sink.close()


def _finish(outputs: Sequence[_Output], hurry: bool) -> None:
    for output in outputs:
        if output.opened and output.sink is not None:
            output.sink.finish(hurry)


def _report(output: _Output) -> SinkReport:
    sink = output.sink
    wrote = () if sink is None else tuple(without_passwords(str(path)) for path in sink.wrote)
    dropped = output.too_old + (0 if sink is None else sink.dropped)
    return SinkReport(output.name, wrote, dropped, output.error)


def _is_common(given: str | Sink) -> bool:
    return isinstance(given, Sink) or is_for_all(given)
