"""Whether the machine is as fast as it was: what tells when to wait, before something is measured and never after.

Other guests of a virtual machine's host, or a job of the system's, slow everything down for seconds. What is measured
then is true of the machine and says nothing of the row. So a run waits where what it measured last, the control or a
row, was slower than its own earlier times; nothing that was measured is left out for what it came out as.
"""

from __future__ import annotations

from collections import defaultdict

__all__ = ["Steadiness"]


class Steadiness:
    """Compares the times of rows and of the control with their own earlier ones.

    Args:
        drift: How much slower a time may be, as a share, before the machine counts as disturbed.
    """

    def __init__(self, drift: float) -> None:
        self._drift = drift
        self._times: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, name: str, milliseconds: float) -> bool:
        """Take in a time of a round; whether the machine was disturbed.

        Args:
            name: Of what.
            milliseconds: Median of its frames.
        """
        self._times[name].append(milliseconds)
        return self.disturbed(name, milliseconds)

    def disturbed(self, name: str, milliseconds: float) -> bool:
        """Whether the machine was disturbed when something took so long, which is not taken in."""
        times = sorted(self._times[name]) or [milliseconds]
        # a quarter from the fastest: where half of the rounds are disturbed it is a time of the others
        return milliseconds > (1 + self._drift) * times[(len(times) - 1) // 4]

    def forget(self) -> None:
        """Compare with what comes from now on: the machine stays as it is."""
        self._times.clear()
