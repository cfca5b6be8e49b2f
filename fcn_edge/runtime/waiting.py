"""Waiting for an item of a queue, for a limited time."""

from __future__ import annotations

import queue
from typing import TypeVar

__all__ = ["item_within"]

T = TypeVar("T")


def item_within(items: queue.SimpleQueue[T], timeout: float | None) -> T:
    """``items.get(timeout=timeout)``, which ends in any case.

    CPython's own waits for ever where the queue's lock is free, the queue is empty, and the time is over before it has
    looked: what is left is negative then, which means no limit to the lock. That is rare with long timeouts, and
    common with a few microseconds. A look that does not wait leaves the lock taken, so that the wait behind it is
    right. One thread may wait at a time.

    Args:
        items: The queue.
        timeout: Seconds to wait at most; without end when None.

    Raises:
        queue.Empty: No item came in time.
    """
    if timeout is None:
        return items.get()
    try:
        return items.get_nowait()
    except queue.Empty:
        return items.get(timeout=max(timeout, 0.0))
