"""Whether a video file is shorter than its own outermost elements say, which is known and no guess."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

__all__ = ["runs_past_end"]

MOST_ELEMENTS = 1_000_000
"""A recording of days in fragments has fewer; a file of nothing but empty elements is not followed for ever."""

_MP4_FIRST = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"pnot"})
_MATROSKA, _MATROSKA_SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_MATROSKA_CLUSTER = b"\x1f\x43\xb6\x75"
_MATROSKA_ELEMENTS = frozenset(
    {
        *(_MATROSKA, _MATROSKA_SEGMENT, _MATROSKA_CLUSTER),
        # in a segment: seek head, info, tracks, cues, tags, attachments, chapters, void, checksum
        *(b"\x11\x4d\x9b\x74", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1c\x53\xbb\x6b", b"\x12\x54\xc3\x67"),
        *(b"\x19\x41\xa4\x69", b"\x10\x43\xa7\x70", b"\xec", b"\xbf"),
        # in a cluster: time stamp, blocks, their groups, position, size of the one before
        *(b"\xe7", b"\xa3", b"\xa0", b"\xa7", b"\xab"),
    }
)
"""The outermost ones, what a segment holds, and what a cluster holds."""
_MP4_BOXES = _MP4_FIRST | {b"uuid", b"sidx", b"mfra", b"meta", b"emsg", b"prft"}
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_OBJECTS = (_ASF, bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c"))
"""The header, and the data."""
_FLV_TAGS = frozenset({8, 9, 18})

Step = Callable[[bytes, int], "int | None"]
"""The length in bytes of the element that begins with these bytes, at this position; None where it tells none."""


def runs_past_end(path: Path) -> bool:
    """Whether an outermost element of a container announces more bytes than the file has: its end is missing.

    MP4 and MOV (boxes), Matroska and WebM (the segment, or what it holds), AVI (RIFF chunks), FLV (tags) and ASF
    (objects) are looked at; of others, and of recordings that were never completed and announce nothing, nothing is
    known. What phones and cameras put behind the container, and players pass over, ends it.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return _runs_past(file, path.stat().st_size)


def _runs_past(file: BinaryIO, end: int) -> bool:
    beginning = file.read(16)
    if beginning[4:8] in _MP4_FIRST:
        length_of: Step = _mp4
    else:
        length_of = next((step for magic, step in _BY_MAGIC.items() if beginning.startswith(magic)), _nothing)
    position = 0
    for _ in range(MOST_ELEMENTS):
        file.seek(position)
        length = length_of(file.read(24), position)
        if length is None or position >= end:
            return False
        position += length
        if position > end:
            return True
    return False


def _nothing(_header: bytes, _position: int) -> None:
    return None


def _mp4(header: bytes, _position: int) -> int | None:
    if len(header) < 16 or header[4:8] not in _MP4_BOXES:
        return None
    size, long_size = struct.unpack_from(">I4xQ", header)
    size = long_size if size == 1 else size
    return size if size >= 8 else None  # 0: to the end, however long that is


def _riff(header: bytes, _position: int) -> int | None:
    if len(header) < 12 or not header.startswith(b"RIFF"):
        return None
    (size,) = struct.unpack_from("<I", header, 4)
    # 0 or the largest while it is being written; some writers leave out the byte that would make an odd length even
    return 8 + size if 0 < size < 0xFFFFFFFF else None


def _matroska(header: bytes, _position: int) -> int | None:
    id_octets = 9 - header[0].bit_length() if header and header[0] else 0
    element = header[:id_octets]
    if element not in _MATROSKA_ELEMENTS or len(header) < 12 or not header[id_octets]:
        return None
    octets = 9 - header[id_octets].bit_length()
    bits, start = 7 * octets, id_octets + octets
    size = int.from_bytes(header[id_octets:start], "big") & ((1 << bits) - 1)
    if size != (1 << bits) - 1:
        return start + size
    # all ones: nobody knew it, as of what is streamed; what is inside tells its own
    return start if element in (_MATROSKA_SEGMENT, _MATROSKA_CLUSTER) else None


def _flv(header: bytes, position: int) -> int | None:
    if position == 0:
        return 13
    if len(header) < 11 or header[0] not in _FLV_TAGS or any(header[8:11]):
        return None
    return 11 + int.from_bytes(header[1:4], "big") + 4


def _asf(header: bytes, _position: int) -> int | None:
    if len(header) < 24 or not header.startswith(_ASF_OBJECTS):
        return None
    (size,) = struct.unpack_from("<Q", header, 16)
    return int(size) if size >= 24 else None


_BY_MAGIC: Mapping[bytes, Step] = MappingProxyType({b"RIFF": _riff, _MATROSKA: _matroska, b"FLV\x01": _flv, _ASF: _asf})
