"""What a video shows while its camera is away."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from fcn_edge.runtime.signal import no_signal_picture

__all__ = ["StandIn"]


class StandIn:
    """The no-signal picture of the frame before it, drawn only when it is another one. For one thread."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._drawn: NDArray[np.uint8] | None = None
        self._of: tuple[int, date] | None = None

    def follows(self, image: NDArray[np.uint8]) -> None:
        """A frame was shown; ``(H, W, 3)`` uint8 BGR, not to be changed."""
        self._last, self._drawn = image, None

    def picture(self, since_unix_ns: int) -> tuple[NDArray[np.uint8], bool]:
        """The picture, ``(H, W, 3)`` uint8 BGR of the frame's size, and whether it was the one before too.

        Args:
            since_unix_ns: Nanoseconds of Unix time since when the camera is away. There was a frame before.
        """
        assert self._last is not None
        of = since_unix_ns, date.today()  # from midnight on it tells the day
        if self._drawn is not None and self._of == of:
            return self._drawn, True
        height, width = self._last.shape[:2]
        self._drawn, self._of = no_signal_picture(self._last, (height, width), since_unix_ns), of
        return self._drawn, False
