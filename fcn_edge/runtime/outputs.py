"""The sinks of a run: one that fails is told of and left, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.redaction import without_passwords
from fcn_edge.runtime.events import Event, SinkFailed
from fcn_edge.runtime.report import SinkReport
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Sink, SinkContext, open_sink

__all__ = ["Outputs"]


@dataclass
class _Output:
    sink: Sink
    opened: bool
    error: FcnEdgeError | None = None

    @property
    def name(self) -> str:
        return self.sink.name or type(self.sink).__name__


class Outputs:
    """The sinks of one run.

    Args:
        tell: Publishes an event.

    Attributes:
        error: The error of the first that failed; None where all are well.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self.error: FcnEdgeError | None = None
        self._tell = tell
        self._outputs: list[_Output] = []

    @property
    def ended(self) -> bool:
        """One of them wants no more."""
        return any(output.sink.ended for output in self._outputs)

    def open(self, sinks: Sequence[str | Sink], context: SinkContext) -> None:
        """Open those that were given as texts; the others stay the caller's to close."""
        for given in sinks:
            sink = open_sink(given, context) if isinstance(given, str) else given
            self._outputs.append(_Output(sink, opened=sink is not given))

    def write(self, result: Result) -> None:
        """Hand a result to all that have not failed.

        Raises:
            FcnEdgeError: None is left; the error of the first that failed.
        """
        for output in self._outputs:
            if output.error is None:
                try:
                    output.sink.write(result)
                except FcnEdgeError as error:
                    self._failed(output, error)
        if self.error is not None and all(output.error for output in self._outputs):
            raise self.error

    def close(self) -> None:
        """Close those that were opened here; what goes wrong is told and in ``error``."""
        for output in reversed(self._outputs):
            if output.opened:
                output.opened = False
                try:
                    output.sink.close()
                except FcnEdgeError as error:
                    self._failed(output, error)

    def close_what_is_left(self) -> None:
        """Close those that ``close`` did not get to, because something else was raised."""
        with ExitStack() as sinks:
            for output in self._outputs:
                if output.opened:
                    output.opened = False
                    sinks.callback(output.sink.close)

    def reports(self) -> tuple[SinkReport, ...]:
        """What became of each."""
        return tuple(
            SinkReport(
                output.name,
                tuple(without_passwords(str(path)) for path in output.sink.wrote),
                output.sink.dropped,
                output.error,
            )
            for output in self._outputs
        )

    def _failed(self, output: _Output, error: FcnEdgeError) -> None:
        output.error = error
        self.error = self.error or error
        self._tell(SinkFailed(output.name, error))
        if output.opened:
            output.opened = False
            with suppress(FcnEdgeError):
                output.sink.close()
