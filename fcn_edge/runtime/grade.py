"""How well a source did in the last hour, in one word.

excellent    no reconnect, at least 0.9 of the expected frames a second, fewer than 5 stalls
fair         at most 2 reconnects, and at least 0.6 of the expected frames a second
unusable     more than 10 reconnects or 100 stalls, or less than 1 frame a second
poor         everything else

Reconnects and stalls are those of the last hour, frames a second are those of the last minute. Where fewer than
1.7 frames a second are expected, less than 0.6 of them is what makes a source unusable.
"""

from __future__ import annotations

from fcn_edge.metrics.durations import NS_PER_S, Durations
from fcn_edge.runtime.sliding import SlidingCount
from fcn_edge.runtime.sources.base import Grade

__all__ = ["Grading", "grade_of"]

HOUR_NS = 3600 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S
FIRST_NS = 5 * NS_PER_S
"""How long frames must have come before there is a grade."""
MARGIN = 0.03
"""By how much the share of the expected frames must exceed a limit before the grade gets better: a source that runs at
the limit does not change its grade with every second."""

ORDER: tuple[Grade, ...] = ("excellent", "fair", "poor", "unusable")


def grade_of(reconnects: int, stalls: int, fps: float, expected: float | None, margin: float = 0.0) -> Grade:
    """The grade.

    Args:
        reconnects: In the last hour.
        stalls: In the last hour.
        fps: Frames a second of the last minute.
        expected: Frames a second that should come; None while nobody knows.
        margin: By how much more than the limits the share of the expected frames must be.
    """
    share = (fps / expected if expected else 1.0) - margin
    too_slow = fps < 1 and (not expected or share < 0.6)
    if reconnects > 10 or stalls > 100 or too_slow:
        return "unusable"
    if reconnects == 0 and stalls < 5 and share >= 0.9:
        return "excellent"
    return "fair" if reconnects <= 2 and share >= 0.6 else "poor"


class Grading:
    """Counts what a grade depends on. All times are nanoseconds of one monotonic clock.

    Args:
        expected: Frames a second that should come; the source's own rate, or else the median of its first minute,
            when left out.

    Attributes:
        grade: The grade; None until frames have come for some seconds.
        expected: Frames a second that should come; None while nobody knows.
    """

    def __init__(self, expected: float | None = None) -> None:
        self.grade: Grade | None = None
        self.expected = expected
        self._reconnects = SlidingCount(HOUR_NS)
        self._stalls = SlidingCount(HOUR_NS)
        self._frames = SlidingCount(MINUTE_NS)
        self._intervals: Durations | None = Durations()
        self._first_ns: int | None = None
        self._last_ns: int | None = None

    def source_says(self, fps: float | None) -> None:
        """The source's own rate, where it has one; it counts where no rate was asked for."""
        if self.expected is None and fps:
            self.expected = fps

    def reconnected(self, now_ns: int) -> None:
        """It was connected again after it was lost; the time until its next frame is no interval between frames."""
        self._reconnects.add(now_ns)
        self._last_ns = None

    def stalled(self, now_ns: int) -> None:
        """No frame came for a while."""
        self._stalls.add(now_ns)

    def frame(self, now_ns: int) -> None:
        """A frame came."""
        if self._first_ns is None:
            self._first_ns = now_ns
        elif self.expected is None and self._intervals is not None and self._last_ns is not None:
            self._intervals.add(now_ns - self._last_ns)
            if now_ns - self._first_ns >= MINUTE_NS:
                median = self._intervals.percentile_ms(50)
                self.expected = 1000 / median if median else None
                self._intervals = None
        self._frames.add(now_ns)
        self._last_ns = now_ns

    def fps(self, now_ns: int) -> float:
        """Frames a second over the last minute, or since the first frame; 0 before."""
        if self._first_ns is None:
            return 0.0
        covered = min(now_ns - self._first_ns, self._frames.covered_ns(now_ns))
        return self._frames.total(now_ns) * NS_PER_S / covered if covered > 0 else 0.0

    def changed(self, now_ns: int) -> bool:
        """Grade anew; whether the grade is another one."""
        if self._first_ns is None or now_ns - self._first_ns < FIRST_NS:
            return False
        counts = self._reconnects.total(now_ns), self._stalls.total(now_ns), self.fps(now_ns), self.expected
        new, surely = grade_of(*counts), grade_of(*counts, margin=MARGIN)
        if self.grade is not None and ORDER.index(new) < ORDER.index(self.grade):
            # better, with a margin where it was worse before
            new = min(surely, self.grade, key=ORDER.index)
        before, self.grade = self.grade, new
        return new != before

    def reasons(self, now_ns: int) -> str:
        """What the grade comes from, in a sentence."""
        expected = f" of {self.expected:.3g}" if self.expected else ""
        return (
            f"In the last hour {_many(self._reconnects.total(now_ns), 'reconnect')} and "
            f"{_many(self._stalls.total(now_ns), 'stall')}, in the last minute "
            f"{self.fps(now_ns):.3g}{expected} frames a second."
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
