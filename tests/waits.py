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
    end = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < end, told()
        time.sleep(0.005)
    return found
