"""Items that a thread of its own works off, for sinks that may be slow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from fcn_edge.runtime.channel import Channel

__all__ = ["Backlog"]

WAITING = 4
"""Items that may wait, each with its images; one more is being worked on. They are lost when the process is killed."""

T = TypeVar("T")


class Backlog(Generic[T]):
    """A short queue and the thread that empties it, which begins with the first item. For one writing thread.

    Args:
        work: Runs in the thread and takes the items, to their end. What it raises is raised by every ``put`` after it,
            or by ``raise_untold``.
        name: What the thread is called.
    """

    def __init__(self, work: Callable[[Channel[T]], None], name: str) -> None:
        self._work = work
        self._name = name
        self._waiting: Channel[T] = Channel(WAITING)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._told = False

    @property
    def full(self) -> bool:
        """Whether a ``put`` would wait."""
        return self._waiting.full and not self._waiting.stopped

    def put(self, item: T) -> None:
        """Hand an item over, when there is room.

        Raises:
            BaseException: What the work failed with.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        if not self._waiting.put(item):
            self._told = True
            self._raise()

    def end(self) -> None:
        """Say that no item follows."""
        self._waiting.end()

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread, which ``end`` ends; False where it takes longer than so many seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def raise_untold(self) -> None:
        """Raise what the work failed with, unless ``put`` did."""
        if not self._told:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work(self._waiting)
        except BaseException as error:
            self._error = error
        finally:
            self._waiting.stop()
