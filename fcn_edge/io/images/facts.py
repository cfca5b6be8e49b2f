"""What the header of a picture file says, read before any decoder sees the file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BYTE", "CUT_OFF", "FEWER_BITS", "HEADLESS", "Damage", "Facts"]

BYTE = 255
"""Largest value of 8 bits."""

CUT_OFF = "is cut off"
HEADLESS = "is cut off, or has no header"
FEWER_BITS = "Save it as PNG: an image with 8 bits a channel, class ids with 8 or 16 bits a pixel."
"""What to do with values of a type that pictures do not have."""


class Damage(Exception):  # noqa: N818 (who knows the file's name makes an error of it)
    """A picture file is damaged, or is not read here; the text goes on from "an image that".

    Attributes:
        fix: What to do with the file.
    """

    def __init__(self, text: str, fix: str = "Replace the file.") -> None:
        super().__init__(text)
        self.fix = fix


@dataclass(frozen=True)
class Facts:
    """What a header says of a picture.

    Attributes:
        height: Rows as stored, before the orientation is applied.
        width: Columns as stored.
        orientation: EXIF's number, 1 to 8; 1 is upright.
        pictures: How many of one size the file holds, 2 for more than one.
        lossy: Values may come back other than they were stored.
        top: Largest value that a sample may have.
        raw: It is a camera's raw photo in the clothes of another kind.
        partial: Scans are missing that would make the picture sharp.
    """

    height: int
    width: int
    orientation: int = 1
    pictures: int = 1
    lossy: bool = False
    top: int = BYTE
    raw: bool = False
    partial: bool = False
