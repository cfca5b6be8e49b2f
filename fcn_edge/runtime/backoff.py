"""How long to wait before the next attempt: exponential back-off with jitter.

The whole delay is random ("full jitter", M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so
that a hundred sources that one switch lost do not all knock at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["Backoff"]


class Backoff:
    """Delays between attempts to connect a source that was lost.

    Most sources come back within minutes (a reboot, a cable, a switch), and then every second counts: at first no delay
    is longer than ``quick``. A source that is gone for longer than ``patience`` is tried less often.

    Args:
        first: Upper bound of the first delay, seconds; it doubles with each attempt.
        quick: Upper bound of all delays until ``patience`` is over, seconds.
        longest: Upper bound of all delays, seconds.
        patience: How long a source has been lost when delays grow beyond ``quick``, seconds.
        stubborn: Upper bound of delays after an error that hardly goes away by itself, such as a wrong password,
            seconds: cameras lock out who tries too often. At least half of such a delay is waited.
        uniform: Gives random numbers in [0, 1).
    """

    def __init__(
        self,
        first: float = 0.5,
        quick: float = 1.5,
        longest: float = 10.0,
        patience: float = 600.0,
        stubborn: float = 60.0,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._first = first
        self._quick = quick
        self._longest = longest
        self._patience = patience
        self._stubborn = stubborn
        self._uniform = uniform
        self._attempts = self._refusals = self._late = 0

    def reset(self) -> None:
        """The source has been live for a while: begin with short delays again."""
        self._attempts = self._refusals = self._late = 0

    def delay(self, lost_for: float, persistent: bool = False) -> float:
        """Seconds to wait before the next attempt.

        Args:
            lost_for: How long the source has been lost, seconds.
            persistent: The last error is one that hardly goes away by itself.
        """
        if persistent:
            self._refusals += 1
            bound = min(self._stubborn, 5 * _doubled(self._first, self._refusals))
            return bound * (1 + self._uniform()) / 2
        if lost_for < self._patience:
            self._attempts += 1
            return min(self._quick, _doubled(self._first, self._attempts)) * self._uniform()
        self._late += 1
        return min(self._longest, _doubled(self._quick, self._late)) * self._uniform()


def _doubled(first: float, attempts: int) -> float:
    """The bound of the nth delay; the exponent is limited, a source may be away for years."""
    return first * 2.0 ** min(attempts - 1, 30)
