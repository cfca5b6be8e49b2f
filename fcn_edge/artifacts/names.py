"""Names out of files, as they may stand in a sentence."""

from __future__ import annotations

from fcn_edge.text import printable

__all__ = ["shown"]

LONGEST = 100
"""Letters of a name out of a file in a sentence."""


def shown(text: str) -> str:
    """A text out of a file as it may stand in a sentence: printable and short."""
    return printable(text, LONGEST)
