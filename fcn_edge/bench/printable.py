"""Text of a result for a terminal: a result may come from anywhere."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""The text on one line, with line breaks and control characters as escapes, such as ``\n`` and ``\x1b``."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
