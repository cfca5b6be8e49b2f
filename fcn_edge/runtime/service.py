"""Tells systemd how a run does: ready, alive, stopping. For units of ``Type=notify``, with or without ``WatchdogSec``.

The watchdog is fed by frames, and by the loop while it waits for cameras that are known to be away: systemd restarts a
run that hangs, or gets no frame and does not know why. Pages and videos of one whose camera is away go on and say so.
The protocol is that of sd_notify(3): lines of text to the datagram socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from typing_extensions import override

from fcn_edge.io.closeable import Closeable
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Ended, Event, FrameDone, SourceChanged, Started, Waiting
from fcn_edge.runtime.sources.base import State
from fcn_edge.text import whole

__all__ = ["ServiceNotifier"]

NS_PER_US = 1000
STATUS_EVERY_NS = 10 * NS_PER_S
AWAY: frozenset[State] = frozenset({"lost", "stalled", "waiting_for_keyframe", "connecting"})
"""States in which a source is looked after, and gives no frame."""


class ServiceNotifier(Closeable):
    """A listener of a run that tells the service manager; where there is none, it does nothing.

    Args:
        environ: The environment: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are read.
        clock: Nanoseconds of a clock that does not jump.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._socket = _connected(environ.get("NOTIFY_SOCKET", ""))
        interval = _watchdog_ns(environ)
        self._every_ns = interval // 2 if interval else None
        self._clock = clock
        self._fed_ns: int | None = None
        self._told_ns: int | None = None
        self._states: dict[str, State] = {}

    def __call__(self, event: Event) -> None:
        """Tell what follows from an event."""
        if self._socket is None:
            return
        if isinstance(event, Started):
            self._tell("READY=1")
        elif isinstance(event, FrameDone):
            self._frame(event)
        elif isinstance(event, Waiting):
            if self._states and AWAY.issuperset(self._states.values()):
                self._feed()
        elif isinstance(event, SourceChanged):
            self._states[event.source] = event.state
            if event.state == "ended":
                del self._states[event.source]
            self._tell(f"STATUS={event.source}: {event.state}{f', {event.message}' if event.message else ''}")
        elif isinstance(event, Ended):
            self._tell("STOPPING=1")

    @override
    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _feed(self) -> None:
        now = self._clock()
        if self._every_ns is not None and (self._fed_ns is None or now - self._fed_ns >= self._every_ns):
            self._fed_ns = now
            self._tell("WATCHDOG=1")

    def _frame(self, event: FrameDone) -> None:
        self._feed()
        now = self._clock()
        if self._told_ns is None or now - self._told_ns >= STATUS_EVERY_NS:
            self._told_ns = now
            frame, statistics = event.result.frame, event.statistics
            self._tell(f"STATUS={frame.source}: {statistics.frames + 1} frames, {statistics.dropped} dropped")

    def _tell(self, line: str) -> None:
        assert self._socket is not None
        # systemd may be restarting, and its buffer full: the run goes on
        with suppress(OSError):
            self._socket.send(line.replace("\n", " ").encode())


def _connected(address: str) -> socket.socket | None:
    """The manager's socket: a path, or behind ``@`` a name that no folder holds; None where there is none."""
    if not address.startswith(("/", "@")):
        return None
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError:
        manager.close()
        return None
    return manager


def _watchdog_ns(environ: Mapping[str, str]) -> int | None:
    """Nanoseconds within which the manager expects a sign of life from this process; None where it expects none."""
    interval, process = whole(environ.get("WATCHDOG_USEC", "")), environ.get("WATCHDOG_PID", "")
    if not interval or process not in ("", str(os.getpid())):
        return None
    return interval * NS_PER_US
