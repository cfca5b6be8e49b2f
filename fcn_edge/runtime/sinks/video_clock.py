"""When each frame of a video is shown."""

from __future__ import annotations

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.frame import Frame

__all__ = ["VideoClock", "usual_rate"]

USUAL_FPS = 25.0
FASTEST_FPS = 240.0
LONGEST_GAP_NS = 3600 * NS_PER_S
"""Containers count in 32 bits; a damaged file may jump by years."""
LARGEST_OFFSET_NS = 10 * NS_PER_S
"""A live source whose own clock and the captures differ by more over one frame has another clock: it came back."""


class VideoClock:
    """Keeps the source's own times, also those of variable rate.

    Times are the source's where frames have some, else those of the captures where it is live, else even. Where the
    source's go back, as in one that starts anew, a live source's captures say how long it took, and a file goes on
    after one frame time.

    While a live source is away, ``away_ns`` gives the times of the pictures that stand for its frames, and the captures
    say when the first frame after them is shown. It may have been captured before the last of them was made: it and
    those behind it follow closely then, until the times are the right ones again.

    Args:
        fps: Frames a second where nothing else tells.
        live: The source is live, so that captures have times of their own.
    """

    def __init__(self, fps: float, live: bool) -> None:
        self._frame_ns = round(NS_PER_S / fps)
        self._live = live
        self._shown_ns: int | None = None
        self._last_ns = -1
        self._away = False
        self._time_ns: int | None = None
        self._captured_ns = 0

    def shown_ns(self, frame: Frame) -> int:
        """Nanoseconds in the video at which the frame is shown: 0 for the first, and greater for each that follows."""
        time_ns = None if frame.time is None else round(frame.time * NS_PER_S)
        if self._shown_ns is None:
            self._shown_ns = 0
        else:
            gap = self._gap_ns(time_ns, frame.captured_ns - self._captured_ns)
            self._shown_ns += min(gap, LONGEST_GAP_NS)
            self._away = False
            # a frame without a time among others that have some was one frame time after the one before
            if time_ns is None and self._time_ns is not None:
                time_ns = self._time_ns + gap
        self._time_ns, self._captured_ns = time_ns, frame.captured_ns
        return self._after_the_last(self._shown_ns)

    def away_ns(self, now_ns: int) -> int:
        """Nanoseconds in the video at which a picture is shown that stands for the frames of a live source.

        Args:
            now_ns: Now, by ``time.monotonic_ns()``. There was a frame before.
        """
        assert self._shown_ns is not None
        self._shown_ns += now_ns - self._captured_ns
        self._captured_ns, self._time_ns, self._away = now_ns, None, True
        return self._after_the_last(self._shown_ns)

    def _after_the_last(self, shown_ns: int) -> int:
        self._last_ns = max(shown_ns, self._last_ns + 1)
        return self._last_ns

    def _gap_ns(self, time_ns: int | None, captured_gap: int) -> int:
        if self._away:
            return captured_gap
        gap = None if time_ns is None or self._time_ns is None or time_ns <= self._time_ns else time_ns - self._time_ns
        if self._live:
            if gap is None or abs(gap - captured_gap) > LARGEST_OFFSET_NS:
                gap = captured_gap
            return max(gap, 1)
        return self._frame_ns if gap is None else gap


def usual_rate(fps: float | None) -> float:
    """A rate that makes sense, frames a second: the source's, or 25."""
    return fps if fps is not None and 1 <= fps <= FASTEST_FPS else USUAL_FPS
