"""Why a weights file cannot be read."""

from __future__ import annotations

__all__ = ["DamagedError"]


class DamagedError(Exception):
    """A file breaks its format or its bounds; ``weights_of`` turns it into an error that names the file.

    Args:
        reason: What is wrong, as the end of a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
