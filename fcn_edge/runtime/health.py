"""What a source does, told by when its frames come and what they show: a state, a grade, a message on each change.

    connecting ──▶ (waiting_for_keyframe) ──▶ live ◀──▶ stalled, frozen, black
                                                ▲            │
                                                └── lost ◀───┘     from everywhere, and tried again

A source is *stalled* when no frame came for a second or five frame times, whichever is longer. Sources that do so again
and again would send two messages each time. Of such a source the bad state is told at once, and the good one only after
frames have come for some time without a gap: 1 s, then 2, 4 and so on to 30 s, until it has been quiet for a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.grade import Grading
from fcn_edge.runtime.picture_watch import PictureWatch, Verdict
from fcn_edge.runtime.sources.base import Grade, State, StateChange

__all__ = ["Health"]

STALLED_NS = NS_PER_S
STALLED_FRAMES = 5
GRADE_EVERY_NS = NS_PER_S
GONE: frozenset[State] = frozenset({"waiting_for_keyframe", "stalled", "lost"})
CALM_NS = 60 * NS_PER_S
"""A source is not restless any more that had no trouble for so long."""
LONGEST_HOLD_NS = 30 * NS_PER_S
SHORT_LIFE_NS = 3 * NS_PER_S
"""A source that is lost so soon after it came back is restless."""
SHORT_STALL = 3
"""A stall that ends within this many times the time that makes one is restless, not broken."""

MESSAGES: dict[Verdict, str] = {
    "live": "",
    "frozen": "The same picture comes again and again: the camera hangs, and may need a restart.",
    "black": "The picture is black: is the lens covered, or the exposure wrong?",
}


class Health:
    """The state and the grade of one source.

    It is told what happens, with the time in nanoseconds of one monotonic clock, and has no clock and no thread of its
    own.

    Args:
        on_change: Called at each change.
        expected_fps: Frames a second that should come; the source's own rate, or else the median of its first minute,
            when left out.
        unix_ns: The clock that changes are stamped by.

    Attributes:
        state: What it does.
        reconnects: How often it was connected again.
        stalls: How often no frame came for a while.
        longest_gap: Seconds without a frame that are normal for it, whatever its rate.
    """

    def __init__(
        self,
        on_change: Callable[[StateChange], None],
        expected_fps: float | None = None,
        unix_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.state: State = "idle"
        self.reconnects = 0
        self.stalls = 0
        self.longest_gap = 0.0
        self._on_change = on_change
        self._unix_ns = unix_ns
        self._grading = Grading(expected_fps)
        self._watch = PictureWatch()
        self._restless = _Restless()
        self._graded_ns: int | None = None
        self._heard_ns = 0
        self._steady_ns = 0
        self._troubled_ns: int | None = None
        self._silent = False
        self._connected = False

    @property
    def grade(self) -> Grade | None:
        """How well it did in the last hour; None in its first seconds."""
        return self._grading.grade

    @property
    def expected_fps(self) -> float | None:
        """Frames a second that should come; None while nobody knows."""
        return self._grading.expected

    @property
    def stalled_after_ns(self) -> int:
        """Nanoseconds without a frame that make a stall."""
        frames = STALLED_FRAMES / self.expected_fps if self.expected_fps else 0.0
        return max(STALLED_NS, round(max(frames, self.longest_gap) * NS_PER_S))

    def silent_ns(self, now_ns: int) -> int:
        """Nanoseconds since the last frame, or since it was connected."""
        return now_ns - self._heard_ns

    def connecting(self) -> None:
        """It is being connected for the first time."""
        self._become("connecting", "")

    def connected(self, now_ns: int, fps: float | None = None) -> None:
        """It was connected, which is not to say that frames come.

        Args:
            now_ns: When.
            fps: Its own rate, where it has one.
        """
        self._grading.source_says(fps)
        self._heard_ns = self._steady_ns = now_ns
        self._silent = False
        self._connected = True
        self._watch.reset()
        if self.state == "lost":
            self.reconnects += 1
            self._grading.reconnected(now_ns)
        self._grade(now_ns)

    def frame(self, now_ns: int, image: object, keyframes: int | None = None) -> None:
        """A frame came.

        Args:
            now_ns: When.
            image: ``(H, W, 3)`` uint8 BGR; anything else, such as a frame on a device, is not looked at.
            keyframes: How many keyframes the source has decoded so far; None where it does not tell.
        """
        gap_ns, self._heard_ns = now_ns - self._heard_ns, now_ns
        self._grading.frame(now_ns)
        if self._silent:
            self._silent = False
            self._steady_ns = now_ns
            if gap_ns < SHORT_STALL * self.stalled_after_ns:
                self._restless.again(now_ns)
        verdict = self._verdict(image, now_ns, keyframes)
        held = self.state in GONE and now_ns - self._steady_ns < self._restless.hold_ns(now_ns)
        if verdict != self.state and not held:
            since_ns, self._troubled_ns = self._troubled_ns, None
            back = "" if since_ns is None else f"Frames come again after {(now_ns - since_ns) / NS_PER_S:.1f} s."
            self._become(verdict, MESSAGES[verdict] or back)
        self._grade(now_ns)

    def nothing(self, now_ns: int, waiting_for_keyframe: bool = False) -> None:
        """It is connected, and no frame has come since.

        Args:
            now_ns: The time.
            waiting_for_keyframe: Packets come that cannot be decoded yet.
        """
        if waiting_for_keyframe:
            if self.state not in ("waiting_for_keyframe", "stalled") and not self._restless.hold_ns(now_ns):
                self._become("waiting_for_keyframe", "")
        elif not self._silent and self.silent_ns(now_ns) >= self.stalled_after_ns:
            self._silent = True
            self._watch.reset()
            if self.state != "lost":
                self.stalls += 1
                self._grading.stalled(now_ns)
            if self.state not in ("lost", "stalled"):
                self._trouble("stalled", f"No frame came for {self.silent_ns(now_ns) / NS_PER_S:.1f} s.", now_ns)
        self._grade(now_ns)

    def lost(self, now_ns: int, message: str) -> None:
        """It was lost, or could not be connected again.

        Args:
            now_ns: When.
            message: Why, in a sentence without passwords.
        """
        if self._connected and now_ns - self._steady_ns < SHORT_LIFE_NS:
            self._restless.again(now_ns)
        self._connected = False
        if self.state != "lost":
            self._trouble("lost", message, now_ns)
        self._grade(now_ns)

    def _verdict(self, image: object, now_ns: int, keyframes: int | None) -> Verdict:
        return self._watch.seen(image, now_ns, keyframes) if isinstance(image, np.ndarray) else "live"

    def _trouble(self, state: State, message: str, now_ns: int) -> None:
        if self._troubled_ns is None:
            self._troubled_ns = now_ns
        self._become(state, message)

    def _grade(self, now_ns: int) -> None:
        if self._graded_ns is not None and now_ns - self._graded_ns < GRADE_EVERY_NS:
            return
        self._graded_ns = now_ns
        if self._grading.changed(now_ns):
            self._tell(self._grading.reasons(now_ns), of_grade=True)

    def _become(self, state: State, message: str) -> None:
        self.state = state
        self._tell(message)

    def _tell(self, message: str, of_grade: bool = False) -> None:
        self._on_change(StateChange(self.state, self.grade, message, self._unix_ns(), of_grade))


class _Restless:
    """How long a source must be steady before it is believed."""

    def __init__(self) -> None:
        self._times = 0
        self._last_ns: int | None = None

    def again(self, now_ns: int) -> None:
        """It had a short trouble."""
        self._times = 0 if self._is_calm(now_ns) else self._times + 1
        self._last_ns = now_ns

    def hold_ns(self, now_ns: int) -> int:
        """Nanoseconds that it must give frames without a gap; 0 where it had no more than one short trouble."""
        if not self._times or self._is_calm(now_ns):
            return 0
        return min(NS_PER_S << min(self._times - 1, 10), LONGEST_HOLD_NS)

    def _is_calm(self, now_ns: int) -> bool:
        return self._last_ns is None or now_ns - self._last_ns > CALM_NS
