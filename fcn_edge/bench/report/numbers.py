"""Numbers for people: three digits that count, and a dash where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["ABSENT", "between", "number", "percent", "points", "signed", "span"]

ABSENT = "\N{EN DASH}"
"""Stands where a value is missing, which is never 0."""

MINUS = "\N{MINUS SIGN}"


def number(value: float | None) -> str:
    """A value with three digits, or as many as its whole part has; a dash where there is none."""
    if value is None:
        return ABSENT
    return f"{value:.{_decimals(value)}f}"


def between(ends: Sequence[float], value: float) -> str:
    """Two ends of an interval with as many decimals as the value within it has, such as 48.9 to 50.1 with a dash."""
    low, high = (f"{end:.{_decimals(value)}f}" for end in ends)
    return f"{low}\N{EN DASH}{high}"


def percent(share: float | None) -> str:
    """A share of 1 in percent, with one decimal and without the sign."""
    return ABSENT if share is None else f"{100 * share:.1f}"


def points(share: float) -> str:
    """A difference of two shares of 1 in percentage points, with its sign, such as +1.2; 0.0 has none."""
    text = f"{100 * share:+.1f}".replace("-", MINUS)
    return "0.0" if text[1:] == "0.0" else text


def signed(difference: float, value: float) -> str:
    """A difference with its sign and as many decimals as a value that it belongs to has; zero has no sign."""
    text = f"{difference:+.{_decimals(value)}f}".replace("-", MINUS)
    return text if text.strip(f"+{MINUS}0.") else text[1:]


def span(values: Sequence[str]) -> str:
    """The first and the last of some values in order, or the one where they are equal."""
    return values[0] if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


def _decimals(value: float) -> int:
    if not value:
        return 0
    return min(3, max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}"))))))
