"""Events counted over a window that slides, in memory that depends on neither their number nor the window."""

from __future__ import annotations

__all__ = ["SlidingCount"]


class SlidingCount:
    """How many events there were in the last while.

    Events are counted into slots, the oldest of which is emptied as time goes on: the window is as long as was asked
    for, or shorter by up to one slot.

    Args:
        window_ns: Length of the window in nanoseconds.
        slots: Into how many slots it is cut, >= 2.
    """

    def __init__(self, window_ns: int, slots: int = 60) -> None:
        if slots < 2 or window_ns < slots:
            raise ValueError(f"a window of {window_ns} ns cannot be cut into {slots} slots")
        self._width_ns = window_ns // slots
        self._counts = [0] * slots
        self._newest: int | None = None
        self._total = 0

    def add(self, now_ns: int, count: int = 1) -> None:
        """Count events that happen now; ``now_ns`` is on any monotonic clock, the same for all calls."""
        self._slide(now_ns)
        self._counts[now_ns // self._width_ns % len(self._counts)] += count
        self._total += count

    def total(self, now_ns: int) -> int:
        """Events in the window that ends now."""
        self._slide(now_ns)
        return self._total

    def covered_ns(self, now_ns: int) -> int:
        """Length of the window that ``total`` counts over at this time."""
        return (len(self._counts) - 1) * self._width_ns + now_ns % self._width_ns

    def _slide(self, now_ns: int) -> None:
        slot = now_ns // self._width_ns
        passed = len(self._counts) if self._newest is None else min(slot - self._newest, len(self._counts))
        for old in range(slot - passed + 1, slot + 1):
            place = old % len(self._counts)
            self._total -= self._counts[place]
            self._counts[place] = 0
        self._newest = slot
