"""Frames of any times in a video that knows one rate."""

from __future__ import annotations

from fractions import Fraction

from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["EvenRate"]


class EvenRate:
    """Gives each frame a slot of the rate, near its own time.

    Where two come in one slot, as those of a camera do now and then, the second takes the next one. What comes faster
    than the rate for longer is left out: the video would fall behind its source.

    Args:
        rate: Slots a second, > 0.
    """

    def __init__(self, rate: Fraction) -> None:
        self._rate = rate
        self._last = -1

    def slot_of(self, time_ns: int) -> int | None:
        """The number of the next frame's slot, greater than that of the frame before; None where it is left out.

        Args:
            time_ns: When the frame is shown, from the first on; not less than that of the frame before.
        """
        slot = round(time_ns * self._rate / NS_PER_S)
        if slot < self._last:
            return None
        self._last = max(slot, self._last + 1)
        return self._last
