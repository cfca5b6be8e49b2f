"""MP4 and MOV files that announce more samples than they can hold, for each of which FFmpeg takes memory."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from fcn_edge.errors import SourceError

__all__ = ["refuse_endless_tables"]

MOST_SAMPLES = 1 << 22
"""What a short file may announce all the same: one that was cut off has the tables of the whole recording."""
SAMPLES_PER_BYTE = 4
"""Of a whole file at most: packed sound of old QuickTime files has more than one."""
MOST_BOXES = 1_000_000
DEEPEST = 12

_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})


def refuse_endless_tables(path: Path) -> None:
    """Say so where an MP4 or MOV file announces more samples in a few bytes than it can hold.

    A table of samples of one size, and a fragment of samples that are all alike, hold no more than their number, and
    FFmpeg makes an index of about 60 bytes for each: 5 GB for 80 million in a file of two kilobytes.

    Raises:
        SourceError: It does.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        if _Boxes(file).samples(0, size, 0) > max(SAMPLES_PER_BYTE * size, MOST_SAMPLES):
            raise SourceError(
                f"{path} is damaged or cut off: it announces more pictures and sounds than it can hold.",
                "Copy it again.",
            )


class _Boxes:
    """The boxes of a file, which FFmpeg follows whatever the file begins with."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MOST_BOXES

    def samples(self, position: int, end: int, depth: int) -> int:
        """How many samples the boxes between two positions announce by their number alone."""
        total = 0
        while position + 8 <= end and self._left:
            self._left -= 1
            self._file.seek(position)
            header = self._file.read(32)
            length, name = struct.unpack_from(">I4s", header)
            begin = 8
            if length == 1 and len(header) >= 16:
                begin = 16
                (length,) = struct.unpack_from(">Q", header, 8)
            elif length == 0:
                length = end - position
            if length < begin:
                break
            if name in _CONTAINERS:
                if depth < DEEPEST:
                    total += self.samples(position + begin, min(position + length, end), depth + 1)
            elif name in (b"stsz", b"trun") and len(header) >= begin + 12:
                second, third = struct.unpack_from(">II", header, begin + 4)
                if name == b"trun":
                    total += second
                elif second:  # bytes of every sample; else a list follows, in which FFmpeg notices that bytes lack
                    total += third
            position += length
        return total
