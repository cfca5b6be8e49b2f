"""How much is checked."""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.artifacts.spec import Size

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How much is checked, and at which size.

    Attributes:
        size: ``(height, width)`` of the network's input.
        batch: Frames that are timed at once: one is over before the clock has moved.
        repeats: How often each is timed; the median counts.
        warm_up_s: Seconds of work before, in which the GPU's clocks rise.
        streets: Frames of which the scores are made.
        seconds: How long sessions are timed.
        quick: Only small frames are compared.
    """

    size: Size = (512, 1024)
    batch: int = 256
    repeats: int = 20
    warm_up_s: float = 0.3
    streets: int = 8
    seconds: float = 3.0
    quick: bool = False
