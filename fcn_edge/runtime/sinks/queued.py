"""A sink that may be slow, of live sources: it works in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from typing_extensions import override

from fcn_edge.errors import MachineError
from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.backlog import Backlog
from fcn_edge.runtime.sinks.base import Sink

__all__ = ["QueuedSink"]

CLOSE_TIMEOUT = 5.0
"""Seconds that the last results may take; a service manager that stops the process waits for half a minute."""
STOP_TIMEOUT = 1.0
"""Seconds in which a write that is told to stop does."""


class QueuedSink(Sink):
    """Hands results to another sink in a thread of its own, so that this one never keeps a camera waiting.

    Once a live source is among those that write, a result that finds no room is left out and counted in ``dropped``,
    and the end may take ``CLOSE_TIMEOUT``. Until then, results wait for room, and the end for all of them unless the
    run was interrupted. A result that has grown too old when its turn comes is left out. What goes wrong in the thread
    is raised by the next ``write``, or by ``close``.

    Args:
        sink: Takes the results; closed with this one.
        place: What may be slow, to begin a sentence.
        max_age_ns: Nanoseconds from the capture after which a mask is worthless; None where none is.
        stop: Ends a ``write`` of ``sink`` that waits, from another thread; None where nothing can.
        live: A live source is known to be among those that write.
    """

    def __init__(
        self,
        sink: Sink,
        place: str,
        max_age_ns: int | None = None,
        stop: Callable[[], None] | None = None,
        live: bool = True,
    ) -> None:
        self._sink = sink
        self._place = place
        self._max_age_ns = max_age_ns
        self._stop = stop
        self._backlog: Backlog[Result] = Backlog(self._work, "fcn-edge sink")
        self._lock = threading.Lock()
        self._left = 0
        self._live = live
        self._until: float | None = None
        self._finished = self._closed = self._given_up = False

    @property
    @override
    def wrote(self) -> tuple[Path, ...]:
        return self._sink.wrote

    @override
    def write(self, result: Result) -> None:
        self._live = self._live or result.frame.live
        if self._live and self._backlog.full:
            self._count(dropped=1)
            return
        self._count(left=1)
        self._backlog.put(result)

    @override
    def heard(self, event: Event) -> None:
        self._sink.heard(event)

    @override
    def finish(self, hurry: bool = False) -> None:
        if not self._finished:
            self._finished = True
            self._backlog.end()
            self._until = time.monotonic() + CLOSE_TIMEOUT if self._live or hurry else None

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.finish()
        if not self._backlog.join(None if self._until is None else max(self._until - time.monotonic(), 0.0)):
            self._give_up()
        self._sink.close()
        self._backlog.raise_untold()

    def _give_up(self) -> None:
        self._given_up = True  # should what it waits for come after all, it writes nothing more
        if self._stop is not None:
            self._stop()
            self._backlog.join(STOP_TIMEOUT)
        with self._lock:
            left = self._left
            self.dropped += left
        if left:
            raise MachineError(
                f"{self._place} took longer than {CLOSE_TIMEOUT:g} s for the end, and the last results ({left}) were "
                "not written.",
                "Check what reads or stores them.",
            )

    def _work(self, waiting: Iterable[Result]) -> None:
        for result in waiting:
            if result.frame.is_older(self._max_age_ns, time.monotonic_ns()):
                self._count(dropped=1)
            else:
                self._sink.write(result)
            self._count(left=-1)
            if self._given_up:
                return

    def _count(self, dropped: int = 0, left: int = 0) -> None:
        with self._lock:
            self.dropped += dropped
            self._left += left
