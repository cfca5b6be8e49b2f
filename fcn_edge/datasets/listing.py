"""Names in a sentence, however many there are."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed"]

MOST = 8
"""Names that a sentence can hold."""


def listed(names: Sequence[object], most: int = MOST) -> str:
    """The names with commas between them; beyond ``most``, the first ones and how many more there are."""
    shown = ", ".join(map(str, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
