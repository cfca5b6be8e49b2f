"""Waiting for what another thread or process brings about, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until"]

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    within: float = 60.0,
    told: Callable[[], object] = lambda: "it did not happen",
) -> T:
    """What ``condition`` gives, as soon as that is true; AssertionError with what ``told`` gives after ``within`` s."""
    end, pause = time.monotonic() + within, 0.002
    while not (found := condition()):
        assert time.monotonic() < end, told()
        time.sleep(pause)
        pause = min(2 * pause, 0.1)  # who looks all the time holds up what it waits for
    return found
