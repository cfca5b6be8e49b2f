"""What a run does, for the page, the metrics and whoever asks over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from fcn_edge.io.redaction import prose_without_passwords, without_passwords
from fcn_edge.runtime.events import Ended, Event, FrameDone, SinkFailed, SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.source_set import Sources
from fcn_edge.runtime.source_status import SourceStatus
from fcn_edge.serve.model_facts import ModelFacts
from fcn_edge.serve.source_record import SourceRecord, SourceView

__all__ = ["RunState"]

MOST_OUTPUTS = 64
"""Sinks that are told of; a run may last for months, and each source may have some of its own."""


class RunState:
    """Hears what a run tells its listeners, and shows it to other threads.

    What comes costs the run some microseconds a frame; percentiles and shares are counted by whoever asks. Memory does
    not grow: durations are of the last seconds or in histograms, and a source that was removed is forgotten.

    Args:
        model: What runs.
        sources: The sources of the run; the very object that it goes through.
        outputs: What the other sinks were given as.
        control: Sources may be changed over HTTP.
        monotonic_ns: The clock that frames are stamped by.
        unix_ns: The clock of the world.

    Attributes:
        model: What runs.
        control: Sources may be changed over HTTP.
        started_unix_ns: Nanoseconds of Unix time of the start.
        viewers: How many look; whoever serves them counts.
        ended: The run is over.
        sink_failures: How many sinks have failed.
    """

    def __init__(
        self,
        model: ModelFacts,
        sources: Sources,
        outputs: Iterable[str] = (),
        *,
        control: bool = False,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        unix_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.model = model
        self.control = control
        self.started_unix_ns = unix_ns()
        self.viewers = 0
        self.ended = False
        self.sink_failures = 0
        self._sources = sources
        self._monotonic_ns = monotonic_ns
        self._unix_ns = unix_ns
        self._lock = threading.Lock()
        self._outputs: dict[str, str | None] = {without_passwords(output): None for output in outputs}
        self._records: dict[int, SourceRecord] = {}

    @property
    def now_ns(self) -> int:
        """Now, on the clock that frames are stamped by."""
        return self._monotonic_ns()

    @property
    def now_unix_ns(self) -> int:
        """Nanoseconds of Unix time, now."""
        return self._unix_ns()

    def heard(self, event: Event) -> None:
        """Take notice of an event; for the run's thread."""
        if isinstance(event, FrameDone):
            self._took(event.result)
        elif isinstance(event, SourceChanged):
            self._changed(event)
        elif isinstance(event, SinkFailed):
            self._failed(event)
        elif isinstance(event, Ended):
            self.ended = True

    def views(self) -> tuple[SourceView, ...]:
        """The sources as they are at this moment, by their numbers; from any thread."""
        statuses = self._forget()
        now_ns, unix_ns = self.now_ns, self.now_unix_ns
        found = []
        for status in statuses:
            with self._lock:  # for one at a time: the run's thread waits for no more than that
                found.append(self._record(status.number, unix_ns).view(status, now_ns, unix_ns))
        return tuple(found)

    def outputs(self) -> dict[str, str | None]:
        """The other sinks by what they were given as, each with why it failed; None while it works."""
        with self._lock:
            return dict(self._outputs)

    def _took(self, result: Result) -> None:
        number = self._sources.number_of(result.source)
        if number is None:  # it has been removed meanwhile
            return
        now_ns, unix_ns = self.now_ns, self.now_unix_ns
        with self._lock:
            self._record(number, unix_ns).took(result, now_ns, unix_ns)

    def _changed(self, event: SourceChanged) -> None:
        number = self._sources.number_of(event.source)
        if number is not None:
            with self._lock:
                record = self._record(number, event.unix_ns)
                record.message, record.since_unix_ns = prose_without_passwords(event.message), event.unix_ns
        if event.state in ("ended", "lost"):
            self._forget()

    def _failed(self, event: SinkFailed) -> None:
        with self._lock:
            self.sink_failures += 1
            self._outputs[event.sink] = prose_without_passwords(event.error.message)
            if len(self._outputs) > MOST_OUTPUTS:
                failed = (sink for sink, error in self._outputs.items() if error is not None)
                del self._outputs[next(failed)]

    def _record(self, number: int, unix_ns: int) -> SourceRecord:
        """What is remembered of a source; the caller holds the lock."""
        if number not in self._records:
            self._records[number] = SourceRecord(unix_ns)
        return self._records[number]

    def _forget(self) -> tuple[SourceStatus, ...]:
        """Forget the sources that are not there any more; gives those that are."""
        with self._lock:  # asked inside it: else one that has just come could be taken for one that is gone
            statuses = self._sources.statuses()
            for number in self._records.keys() - {status.number for status in statuses}:
                del self._records[number]
        return statuses
