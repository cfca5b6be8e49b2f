"""A bounded queue between two threads that ends, fails and stops."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Generic, TypeVar

from fcn_edge.runtime.waiting import item_within

__all__ = ["Channel"]

T = TypeVar("T")


class _End:
    """The last thing in a channel, with the error that ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Channel(Generic[T]):
    """Items, none of them None, from one writing thread to one reading thread, at most ``capacity`` waiting.

    The writer calls ``put`` and, once, ``end``; the reader iterates or calls ``take`` and, when it leaves early, calls
    ``stop``.
    A put takes one of ``capacity`` tokens and a get gives it back. Both go through ``queue.SimpleQueue``, whose get
    and put are single steps of the interpreter: a KeyboardInterrupt in the reading thread finds no lock held, which
    locks of Python code cannot promise. Nothing polls.

    Args:
        capacity: Most items that wait, >= 1.
        newest: When the channel is full, drop the oldest waiting item in place of waiting.

    Attributes:
        dropped: How many items were dropped for newer ones.
        stopped: ``stop`` was called.
    """

    def __init__(self, capacity: int, newest: bool = False) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds 1 item or more, not {capacity}")
        self.dropped = 0
        self._newest = newest
        self.stopped = False
        self._items: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        for _ in range(capacity):
            self._tokens.put(True)

    def put(self, item: T) -> bool:
        """Hand an item over, when there is room; False when the reader has stopped."""
        if self.stopped or not self._take_token():
            return False
        self._items.put(item)
        return True

    def end(self, error: BaseException | None = None) -> None:
        """Say that no item follows: the reader gets those that wait, then the end, or the error raised."""
        self._items.put(_End(error))

    def stop(self) -> None:
        """Say that nobody reads any more; a waiting ``put`` and all that follow return False."""
        self.stopped = True
        self._tokens.put(False)  # wakes a writer that waits

    @property
    def full(self) -> bool:
        """Whether a ``put`` would wait, or drop something; for the writer, whose puts alone change a no to a yes."""
        return self._tokens.empty()

    def take(self, timeout: float | None = None) -> T | None:
        """The next item, waiting for it; None at the end, which comes once.

        Args:
            timeout: Seconds to wait at most; without end when left out.

        Raises:
            queue.Empty: No item came in time.
            BaseException: The writer's error, where that is how it ended.
        """
        item = item_within(self._items, timeout)
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return None
        self._tokens.put(True)
        return item

    def __iter__(self) -> Iterator[T]:
        while (item := self.take()) is not None:
            yield item

    def within(self, timeout: float | None) -> Iterator[T | None]:
        """The items as they come, and None each time that none has come for ``timeout`` seconds."""
        while True:
            try:
                item = self.take(timeout)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            yield item

    def _take_token(self) -> bool:
        if self._newest:
            try:
                return self._tokens.get_nowait()
            except queue.Empty:
                pass
            try:
                self._items.get_nowait()
            except queue.Empty:
                pass  # the reader has just taken it, and its token is on the way
            else:
                self.dropped += 1
                return True
        return self._tokens.get()
