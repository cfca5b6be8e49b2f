"""Whether the machine is as fast as it was: what tells when to wait, before something is measured and never after.

Other guests of a virtual machine's host, or a job of the system's, slow everything down for seconds. What is measured
then is true of the machine and says nothing of the row. So a run waits where what it measured last, the control or a
row, was slower than its own earlier times; nothing that was measured is left out for what it came out as.
"""

from __future__ import annotations

from collections import defaultdict, deque

__all__ = ["Steadiness"]

RECENT = 32
"""How many times of each row are looked back on: a machine that stays slower has a new normal after that many."""


class Steadiness:
    """Compares each time with the row's own recent ones.

    Args:
        drift: How much slower a row or the control may be, as a share, before the machine counts as disturbed.

    Attributes:
        disturbed: Whether the last time was slower than that.
    """

    def __init__(self, drift: float) -> None:
        self.disturbed = False
        self._drift = drift
        self._recent: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))

    def note(self, name: str, milliseconds: float) -> None:
        """Take in a time.

        Args:
            name: Of what.
            milliseconds: Median of its frames.
        """
        recent = self._recent[name]
        recent.append(milliseconds)
        # a quarter from the fastest: where half of the rounds are disturbed it is a time of the others
        normal = sorted(recent)[(len(recent) - 1) // 4]
        self.disturbed = milliseconds > (1 + self._drift) * normal
