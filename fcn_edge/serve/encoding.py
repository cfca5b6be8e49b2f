"""What the page's video has cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Encoding"]


@dataclass(frozen=True)
class Encoding:
    """What the video of one source has cost so far.

    Attributes:
        source: Short name of the source.
        pictures: Pictures that were encoded.
        cpu_ns: Nanoseconds of processor time that they and their masks took in the thread of this source.
    """

    source: str
    pictures: int
    cpu_ns: int
