"""Time stamps of a video, as seconds after its first frame."""

from __future__ import annotations

import math

__all__ = ["TimesAfterFirst"]


class TimesAfterFirst:
    """Makes seconds after the first frame of the time stamps of frames in the order of presentation."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0

    def __call__(self, stamp: float | None) -> float | None:
        """The time of the next frame in seconds: 0 for the first; None where its stamp is none, or does not grow.

        Args:
            stamp: In seconds from anywhere; None, infinity and NaN are none.
        """
        known = stamp if stamp is not None and math.isfinite(stamp) else None
        if self._first is None:
            self._first = known or 0.0
            return 0.0
        if known is None or known - self._first <= self._last:
            return None
        self._last = known - self._first
        return self._last
