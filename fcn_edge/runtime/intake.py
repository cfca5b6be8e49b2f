"""Items of several threads, taken in turns by one: what lets many sources share a network fairly."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Intake", "Lane"]

T = TypeVar("T")


class Lane(Generic[T]):
    """One writer's way into an intake; made by ``Intake.lane``.

    Attributes:
        dropped: How many items were dropped for newer ones.
        closed: Nobody takes from it any more.
    """

    def __init__(self, intake: Intake[T], capacity: int) -> None:
        self.dropped = 0
        self.closed = False
        self._intake = intake
        # of its own: a writer that is woken for another one's room only takes the interpreter from the network
        self._room = threading.Condition(intake.lock)
        self._capacity = capacity
        self._newest = False
        self._items: deque[T] = deque()

    def keep_newest(self, capacity: int) -> None:
        """From now on, drop the oldest waiting item in place of waiting. For the writer, before its first item."""
        self._capacity, self._newest = capacity, True

    def put(self, item: T) -> bool:
        """Hand an item over, when there is room; False when nobody takes it any more.

        In a lane that keeps the newest there is always room: the oldest that waits goes.
        """
        with self._room:
            if self._newest and not self.closed and len(self._items) == self._capacity:
                self._items.popleft()
                self.dropped += 1
            while not self.closed and len(self._items) >= self._capacity:
                self._room.wait()
            return self._put(item)

    def put_last(self, item: T) -> bool:
        """Hand over what ends the lane: at once, behind everything that waits; False when nobody takes it any more."""
        with self._room:
            return self._put(item)

    def close(self) -> None:
        """Forget what waits; a waiting ``put`` and all that follow return False."""
        with self._room:
            self.closed = True
            self._items.clear()
            self._room.notify_all()
            self._intake.forget(self)

    def _put(self, item: T) -> bool:
        if self.closed:
            return False
        self._items.append(item)
        self._intake.arrived.notify()
        return True

    def take(self) -> T | None:
        """The oldest item that waits; None where there is none. For the intake, which holds the lock."""
        if not self._items:
            return None
        self._room.notify()
        return self._items.popleft()


class Intake(Generic[T]):
    """Lanes, taken from in turns: a lane that was served waits until every other one with something had its turn.

    Any thread may make lanes and close them; one takes. The lock is never held while anybody works, and none of this
    is for a thread that Ctrl-C may interrupt.

    Attributes:
        lock: Held while lanes and items change; one thread may take it again.
        arrived: Notified when an item comes, and when the intake is closed.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.arrived = threading.Condition(self.lock)
        self._lanes: deque[Lane[T]] = deque()
        self._closed = False

    def lane(self, capacity: int) -> Lane[T]:
        """A new lane, whose writer waits where it is full.

        Args:
            capacity: Most items that wait in it, >= 1.
        """
        if capacity < 1:
            raise ValueError(f"a lane holds 1 item or more, not {capacity}")
        lane = Lane(self, capacity)
        with self.lock:
            lane.closed = self._closed
            if not self._closed:
                self._lanes.append(lane)
        return lane

    def take(self) -> T | None:
        """The next item of the lane whose turn it is, waiting for one; None when the intake is closed."""
        return next(iter(self.take_many(1)), None)

    def take_many(self, most: int) -> list[T]:
        """The next items of different lanes, those whose turn it is first; none when the intake is closed.

        It waits for the first and for no other.

        Args:
            most: Take no more than this, >= 1.
        """
        with self.arrived:
            while not self._closed:
                if items := self._next(most):
                    return items
                self.arrived.wait()
            return []

    def close(self) -> None:
        """Close all lanes: nobody takes any more."""
        with self.arrived:
            self._closed = True
            for lane in tuple(self._lanes):
                lane.close()
            self.arrived.notify_all()

    def forget(self, lane: Lane[T]) -> None:
        """Leave a closed lane out; the caller holds the lock."""
        if lane in self._lanes:
            self._lanes.remove(lane)

    def _next(self, most: int) -> list[T]:
        items: list[T] = []
        for _ in range(len(self._lanes)):
            lane = self._lanes[0]
            self._lanes.rotate(-1)
            if (item := lane.take()) is not None:
                items.append(item)
            if len(items) == most:
                break
        return items
