"""What may be asked of a stream, whatever its sources and sinks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fcn_edge.errors import UsageError
from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["StreamOptions"]


@dataclass(frozen=True)
class StreamOptions:
    """Limits of a stream, and what becomes of its frames.

    Attributes:
        frames: Stop after this many results, >= 1.
        seconds: Request no frame later than this after the first, > 0, and wait for none beyond it.
        unknown_below: Pixels of less confidence than this (0 to 1) get the model's void.
        realtime: Play files at the pace of their own times.
        max_age: Seconds from the capture after which a mask is worthless, > 0.

    Raises:
        UsageError: A value makes no sense.
    """

    frames: int | None = None
    seconds: float | None = None
    unknown_below: float | None = None
    realtime: bool = False
    max_age: float | None = None

    @property
    def max_age_ns(self) -> int | None:
        """``max_age`` in nanoseconds."""
        return None if self.max_age is None else round(self.max_age * NS_PER_S)

    def __post_init__(self) -> None:
        if (self.frames is not None and self.frames < 1) or (self.seconds is not None and not self.seconds > 0):
            raise UsageError(
                "A run lasts 1 frame or more, and longer than 0 s.", "Leave the limit out to go to the end."
            )
        if self.seconds is not None and not math.isfinite(self.seconds * NS_PER_S):
            raise UsageError(f"seconds={self.seconds:g} is no time that ends.", "Leave it out to go to the end.")
        if self.max_age is not None and not 0 < self.max_age < math.inf:
            raise UsageError(f"max_age={self.max_age:g} is no age that a mask can have.", "Give seconds above 0.")
