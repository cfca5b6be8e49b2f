"""Sensors as functions that give a number now, or None where it cannot be read at the moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["Reading", "highest", "number_in", "reading_of", "total"]

Reading = Callable[[], float | None]
"""A sensor's value now; None where it cannot be read at the moment, such as the temperature of a GPU that is off."""


def number_in(path: Path) -> float | None:
    """The number that a system file holds; None where it is absent, may not be read or holds no number."""
    # a third of the time of Path.read_text, which counts where many files are read ten times a second
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return float(os.read(file, 64))
    except (OSError, ValueError):
        return None
    finally:
        os.close(file)


def reading_of(path: Path, unit: float = 1.0) -> Reading:
    """A sensor that is a file.

    Args:
        path: The file, which holds one number.
        unit: What its number is multiplied by.
    """

    def read() -> float | None:
        number = number_in(path)
        return None if number is None else number * unit

    return read


def highest(readings: Sequence[Reading]) -> Reading:
    """The highest of several sensors, those that cannot be read left out."""

    def read() -> float | None:
        return max((number for reading in readings if (number := reading()) is not None), default=None)

    return read


def total(readings: Sequence[Reading]) -> Reading:
    """The sum of several sensors; None while one of them cannot be read."""

    def read() -> float | None:
        numbers = [reading() for reading in readings]
        known = [number for number in numbers if number is not None]
        return sum(known) if len(known) == len(numbers) else None

    return read
