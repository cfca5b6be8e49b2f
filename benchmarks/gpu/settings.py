"""How much is checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        frames: Frames that sessions with a graph and without must agree on.
        rounds: Frames of other libraries that are taken in, and engines that are opened and closed (a quarter of it).
        fills: Fills of memory beyond the caches before each timed launch: they take about a millisecond at 4 TB/s, and
            longer on every slower GPU.
        quick: Only small frames are compared.
    """

    size: Size = (512, 1024)
    batch: int = 256
    repeats: int = 20
    warm_up_s: float = 0.3
    streets: int = 4
    seconds: float = 3.0
    frames: int = 1000
    rounds: int = 200
    fills: int = 32
    quick: bool = False

    @property
    def for_a_look(self) -> Settings:
        """The same with small frames and few repeats."""
        return replace(
            self, repeats=3, warm_up_s=0.0, streets=2, seconds=0.2, frames=12, rounds=12, fills=2, quick=True
        )
