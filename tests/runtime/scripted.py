"""A live source that does what a test tells it to: ``Script`` makes its connections, one for each attempt."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.runtime.sources.base import SLICE, Connection, EndOfSource, Picture

Step = Picture | Exception | str
"""A picture that comes; an error that is raised; ``"end"``, and nothing comes any more."""


def picture(level: int = 100, **more: object) -> Picture:
    """A picture of one gray level with noise, so that none is equal to another."""
    rng = np.random.default_rng()
    image: NDArray[np.uint8] = rng.integers(max(level - 5, 0), level + 5, (48, 64, 3), np.uint8)
    return Picture(image, **more)  # type: ignore[arg-type]


class Script:
    """Makes connections and tells them what to do, from a test's thread.

    Attributes:
        there: Set while the source can be connected.
        made: The connections that were made.
        attempts: How many of them were connected, or tried to.
        error: What connecting raises while it is not there.
        steps: What the connected one does next.
    """

    def __init__(self, there: bool = True, live: bool = True, fps: float | None = None) -> None:
        self.there = threading.Event()
        if there:
            self.there.set()
        self.live = live
        self.live_when_connected = live
        self.fps = fps
        self.made: list[Scripted] = []
        self.attempts = 0
        self.error: Callable[[], Exception] = lambda: SourceError("rtsp://u:secret@camera does not answer.", "Wait.")
        self.steps: queue.SimpleQueue[Step] = queue.SimpleQueue()

    def make(self) -> Connection:
        self.made.append(Scripted(self))
        return self.made[-1]

    def give(self, count: int = 1, level: int = 100) -> None:
        for _ in range(count):
            self.steps.put(picture(level))

    def fail(self, message: str = "The cable is cut.") -> None:
        self.steps.put(SourceError(message))

    @property
    def open(self) -> int:
        """How many connections are connected and not closed."""
        return sum(connection.opened and not connection.closed for connection in self.made)


class Scripted(Connection):
    """One connection to a scripted source."""

    def __init__(self, script: Script) -> None:
        super().__init__("rtsp://u:secret@camera")
        self.live = script.live
        self._script = script
        self._over = False
        self.opened = False
        self.closed = 0

    @override
    def _connect(self, timeout: float | None) -> None:
        self._script.attempts += 1
        if not self._script.there.is_set():
            raise self._script.error()
        self.opened = True
        self.live = self._script.live_when_connected
        self.fps, self.size = self._script.fps, (48, 64)

    @override
    def _next(self, timeout: float) -> Picture | None:
        if self._over:
            raise EndOfSource
        try:
            # short waits, so that it is interrupted soon
            step = self._script.steps.get(timeout=min(max(timeout, 0.001), 0.005))
        except queue.Empty:
            return None
        if isinstance(step, Exception):
            raise step
        if isinstance(step, str):
            self._over = True
            raise EndOfSource
        return step

    @override
    def close(self) -> None:
        self.closed += 1
        super().close()


class Stuck(Connection):
    """A source that never answers, but can be interrupted."""

    live = True

    def __init__(self) -> None:
        super().__init__("rtsp://stuck")

    @override
    def _connect(self, timeout: float | None) -> None:
        until = time.monotonic() + (60 if timeout is None else timeout)
        while not self._interrupted and time.monotonic() < until:
            time.sleep(SLICE / 10)
        raise SourceError("rtsp://stuck does not answer.")

    @override
    def _next(self, timeout: float) -> Picture | None:
        raise EndOfSource
