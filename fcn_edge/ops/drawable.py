"""Names as OpenCV can draw them: before version 5 its font has ASCII alone, and a question mark for each other byte."""

from __future__ import annotations

import unicodedata

from fcn_edge.io.opencv import cv2

__all__ = ["drawable", "in_ascii"]

FIRST_WITH_UNICODE = 5
"""Major version of OpenCV whose font has the letters of the world."""

_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "ħ": "h", "Ħ": "H",  # noqa: RUF001
        "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"',  # noqa: RUF001
    }
)  # fmt: skip
"""Letters and signs that Unicode does not take apart into a plain one and a mark."""


def drawable(name: str, number: int) -> str:
    """A class's name for ``cv2.putText``.

    Args:
        name: The name.
        number: The class id, which stands for a name that the installed OpenCV has no letters for.
    """
    if name.isascii() or int(cv2().__version__.split(".")[0]) >= FIRST_WITH_UNICODE:
        return name
    return in_ascii(name) or f"class {number}"


def in_ascii(name: str) -> str:
    """A name without marks and ligatures, such as ``Strasse``; empty where letters are left that ASCII lacks."""
    parts = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return plain if plain.isascii() else ""
