"""Why a weights file cannot be read, and what of it may be shown."""

from __future__ import annotations

from fcn_edge.text import printable

__all__ = ["DamagedError", "shown"]

LONGEST = 100
"""Letters of a name out of a file in a sentence."""


class DamagedError(Exception):
    """A file breaks its format or its bounds; ``weights_of`` turns it into an error that names the file.

    Args:
        reason: What is wrong, as the end of a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def shown(text: str) -> str:
    """A text out of a file as it may stand in a sentence: printable and short."""
    return printable(text, LONGEST)
