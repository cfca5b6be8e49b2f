"""Is a camera's picture frozen or black? Looked at on a sample of its pixels, well under 0.3 ms for a 720p frame.

**Black**: the 99th percentile of the luma is below 16 (of 255) for 5 s. A night scene with a few lamps is brighter:
lamps and what they light up are more than a hundredth of the picture.

**Frozen**: the same picture, bit for bit, comes again and again for 5 s. A real sensor never gives the same picture
twice, because of its noise; but a video encoder does. In a still scene it says "as before" for every block, and the
decoder gives bit-identical pictures until the next keyframe, which can take many seconds. So the test is made where the
encoder cannot say so:

- Where the source counts keyframes, these are compared with each other. Noise makes no two of them equal; a frozen
  sensor that is encoded anew gives equal ones, also where the pictures in between are refined. Three equal keyframes,
  the last at least 5 s after the first and nothing moving in between, are frozen.
- Where it does not, all pictures must be equal, for 5 s, or for three times as long as the longest run of equal
  pictures before, if that is more (up to 60 s): such runs are an encoder's, and last from keyframe to keyframe.

A frozen sensor picture that is encoded with changing quality, or over which the camera draws a running clock, is not
noticed; nothing in it stands still.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fcn_edge.metrics.durations import NS_PER_S

__all__ = ["PictureWatch", "Verdict"]

Verdict = Literal["live", "frozen", "black"]

ROWS = 8
"""Every such row is compared."""
GRID = 16
"""Every such pixel of every such row has its luma measured."""
LUMA_BGR = np.array([29, 150, 77], np.uint16)
"""BT.601, in 256ths."""
DARK = 16
LAST_NS = 5 * NS_PER_S
"""How long a picture is frozen or black before that is said."""
LONGEST_NS = 60 * NS_PER_S
"""How long equal pictures may come at most from a source that counts no keyframes."""
LIT_NS = NS_PER_S
"""How long a black picture must be lit before it is black no more."""
MOVED = 32
"""Luma of one pixel by which pictures differ that show something else."""
LUMA_EVERY_NS = NS_PER_S // 5
TIMES = 3
"""Keyframes that must be equal; and how many times the longest run of an encoder."""
FEWEST = 5
"""Equal pictures that make a run; of a source that gives one picture in ten seconds, two prove nothing."""


class PictureWatch:
    """Looks at each picture of one source. All times are nanoseconds of one monotonic clock."""

    def __init__(self) -> None:
        self._longest_run_ns = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew: the source was lost or stalled, and what comes next follows nothing."""
        self._black = self._frozen = False
        self._still: Still | None = None
        self._keyframes: int | None = None
        self._luma_ns: int | None = None
        self._turned_ns: int | None = None

    def seen(self, image: NDArray[np.uint8], now_ns: int, keyframes: int | None = None) -> Verdict:
        """What the pictures up to this one say.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            now_ns: When it came.
            keyframes: How many keyframes the source has decoded so far; None where it does not tell.
        """
        if keyframes is None:
            self._compare(image, now_ns)
        elif keyframes != self._keyframes:
            self._keyframes = keyframes
            self._compare_keyframe(image, now_ns)
        if self._luma_ns is None or now_ns - self._luma_ns >= LUMA_EVERY_NS:
            self._luma_ns = now_ns
            luma = luma_of(image)
            self._measure(luma, now_ns)
            if self._still is not None and self._still.moved_to(luma):
                self._frozen = False
        if self._black:
            return "black"
        # a picture that is about to be black is not frozen first
        return "frozen" if self._frozen and self._turned_ns is None else "live"

    def _compare(self, image: NDArray[np.uint8], now_ns: int) -> None:
        still = self._still
        if still is not None and still.came_again(image, now_ns):
            needed_ns = max(LAST_NS, min(TIMES * self._longest_run_ns, LONGEST_NS))
            self._frozen = still.count >= FEWEST and still.lasted_ns >= needed_ns
            return
        if still is not None and still.count >= FEWEST:
            self._longest_run_ns = max(self._longest_run_ns, still.lasted_ns)
        self._frozen = False
        self._still = Still(image, now_ns)

    def _compare_keyframe(self, image: NDArray[np.uint8], now_ns: int) -> None:
        still = self._still
        if still is not None and not still.moved and still.came_again(image, now_ns):
            self._frozen = still.count >= TIMES and still.lasted_ns >= LAST_NS
            return
        self._frozen = False
        self._still = Still(image, now_ns)

    def _measure(self, luma: NDArray[np.uint16], now_ns: int) -> None:
        place = max(-(-99 * luma.size // 100) - 1, 0)  # nearest rank
        if (int(np.partition(luma, place)[place]) < DARK) == self._black:
            self._turned_ns = None
            return
        if self._turned_ns is None:
            self._turned_ns = now_ns
        if now_ns - self._turned_ns >= (LIT_NS if self._black else LAST_NS):
            self._black = not self._black
            self._turned_ns = None


class Still:
    """A picture that may come again.

    Args:
        image: ``(H, W, 3)`` uint8 BGR.
        now_ns: When it came.

    Attributes:
        count: How often it came.
        lasted_ns: How long after the first time it came last.
        moved: A picture came that shows something else.
    """

    def __init__(self, image: NDArray[np.uint8], now_ns: int) -> None:
        self._rows = image[::ROWS].copy()
        self._luma = luma_of(image).astype(np.int16)
        self._since_ns = now_ns
        self.lasted_ns = 0
        self.count = 1
        self.moved = False

    def came_again(self, image: NDArray[np.uint8], now_ns: int) -> bool:
        """Whether a picture is this one, bit for bit in the sample; it is counted then."""
        rows = image[::ROWS]
        if self._rows.shape != rows.shape:
            return False
        middle = len(rows) // 2  # two different pictures differ in nearly every row
        if not (np.array_equal(self._rows[middle], rows[middle]) and np.array_equal(self._rows, rows)):
            return False
        self.count += 1
        self.lasted_ns = now_ns - self._since_ns
        return True

    def moved_to(self, luma: NDArray[np.uint16]) -> bool:
        """Whether a picture of this luma shows something else, by more than an encoder's refinements."""
        if not self.moved and self._luma.size == luma.size:
            self.moved = bool(np.abs(self._luma - luma.astype(np.int16)).max() > MOVED)
        return self.moved


def luma_of(image: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Luma of the sample of a ``(H, W, 3)`` uint8 BGR image, 0 to 255, flat."""
    luma: NDArray[np.uint16] = (image[::GRID, ::GRID].reshape(-1, 3) @ LUMA_BGR) >> np.uint16(8)
    return luma
