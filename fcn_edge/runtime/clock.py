"""A camera's clock against ours: how far it is off, and how fast it runs away."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import combinations
from statistics import median

from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["CameraClock", "skews"]

BUCKET_NS = 10 * NS_PER_S
BUCKETS = 60
"""The window: ten minutes, one point for each ten seconds."""
SHORTEST_NS = 60 * NS_PER_S
"""Below this, jitter of a few milliseconds would pass for a drift."""
STEP_NS = NS_PER_S
"""A difference that changes by more than this within a bucket is a clock that was set, not one that drifts."""


class CameraClock:
    """Offset and drift of a camera's clock, estimated from frames. Memory does not grow.

    A frame arrives later than it was captured, by an amount that varies and has a least value. Of each ten seconds the
    frame with the least delay counts, as in the clock filter of NTP (RFC 5905, section 10); the drift is the median of
    the slopes between all pairs of those points (Theil 1950, Sen 1968), so that a few bad ones change nothing. The
    least delay itself stays in the offset: nobody can tell it from a clock that is slow.

    One thread adds; any thread reads.

    Attributes:
        steps: How many times the camera's clock was set by more than a second.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._points: tuple[tuple[int, int], ...] = ()

    def add(self, camera_ns: int, captured_ns: int) -> None:
        """Take a frame's times.

        Args:
            camera_ns: Nanoseconds of Unix time at the capture, by the camera's clock.
            captured_ns: ``time.monotonic_ns()`` when the frame arrived; not before that of the frame before.
        """
        ahead = camera_ns - captured_ns
        points = self._points
        if points and abs(ahead - points[-1][1]) > STEP_NS + (captured_ns - points[-1][0]) // 1000:
            self.steps += 1
            points = ()
        if points and captured_ns // BUCKET_NS == points[-1][0] // BUCKET_NS:
            # the frame that came soonest makes the camera look furthest ahead
            if ahead > points[-1][1]:
                self._points = (*points[:-1], (captured_ns, ahead))
            return
        self._points = (*points[-(BUCKETS - 1) :], (captured_ns, ahead))

    @property
    def offset_ns(self) -> int | None:
        """Nanoseconds that the camera's clock is ahead of ours, less the delay; None before the first frame."""
        points = self._points[-3:]
        if not points:
            return None
        return round(median(ahead for _, ahead in points)) + time.monotonic_ns() - time.time_ns()

    @property
    def drift_ppm(self) -> float | None:
        """Microseconds per second that the camera's clock gains on this machine's; None within the first minute."""
        points = self._points
        if not points or points[-1][0] - points[0][0] < SHORTEST_NS:
            return None
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2)]
        return median(slopes) * 1e6


def skews(offsets_ms: Sequence[float | None]) -> list[float | None]:
    """How far each clock is from the middle of all.

    Args:
        offsets_ms: Milliseconds that each is ahead of this machine's; None where nobody knows.

    Returns:
        Milliseconds that each is ahead of the median of those that are known; None where it isn't known itself, and
        everywhere when fewer than two are.
    """
    known = [offset for offset in offsets_ms if offset is not None]
    if len(known) < 2:
        return [None] * len(offsets_ms)
    middle = median(known)
    return [None if offset is None else round(offset - middle, 3) for offset in offsets_ms]
