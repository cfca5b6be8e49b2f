"""Directories of TIFF files, and of the EXIF blocks in other files, which are built alike."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from fcn_edge.io.images.facts import BYTE, CUT_OFF, FEWER_BITS, HEADLESS, Damage, Facts

__all__ = ["orientation_in", "tiff_facts"]

Directory = dict[int, tuple[int, ...]]

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION = 254, 256, 257, 258, 259
ORIENTATION, SAMPLES, SUB_DIRECTORIES, SAMPLE_FORMAT, DNG_VERSION = 274, 277, 330, 339, 50706
STARTS_AND_SIZES = ((273, 279), (324, 325))
"""Where strips or tiles begin, and how many bytes they have."""

LOSSY = frozenset({6, 7, 34661, 34676, 34677, 34712, 34892, 34933, 34934, 50001, 50002, 52546})
"""Compressions that may change values: JPEG of both kinds, JPEG 2000, WebP, JPEG XL and others."""

DEFLATE = frozenset({8, 32946})
"""Compressions by zlib, whose checksums libtiff does not look at."""

ONE_VALUE = frozenset({SUBFILE, WIDTH, HEIGHT, COMPRESSION, ORIENTATION, SAMPLES, SUB_DIRECTORIES, DNG_VERSION})
"""Entries of which the first value is asked for."""

ALL_VALUES = frozenset({BITS, SAMPLE_FORMAT, *(tag for pair in STARTS_AND_SIZES for tag in pair)})
"""Entries of which each value counts, in the first directory."""

MOST_DIRECTORIES, MOST_ENTRIES = 1000, 1000

MOST_CHECKED = 1 << 29
"""Pixels; what is larger is refused anyway."""

_PIECE = 1 << 20

_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Whole numbers by the type of an entry."""


def orientation_in(block: bytes) -> int:
    """EXIF's orientation of a block that is built as a TIFF file; 1 where it says nothing that makes sense."""
    try:
        first = next(_directories(block), {})
    except Damage:
        return 1
    return _orientation(first)


def tiff_facts(content: bytes) -> Facts:
    """What a TIFF file says of its first picture.

    Raises:
        Damage: It is cut off, does not match its own checksums, or says nothing of its size.
    """
    directories = list(_directories(content))
    if not directories:
        raise Damage(HEADLESS)
    first = directories[0]
    height, width = _one(first, HEIGHT), _one(first, WIDTH)
    for start, size in STARTS_AND_SIZES:
        ends = [at + length for at, length in zip(first.get(start, ()), first.get(size, ()), strict=False)]
        if ends and max(ends) > len(content):
            raise Damage(CUT_OFF)
    if _one(first, COMPRESSION) in DEFLATE and height * width <= MOST_CHECKED:
        _check_deflated(content, first)
    bits, formats = max(first.get(BITS, (1,))), set(first.get(SAMPLE_FORMAT, (1,)))
    if formats - {1, 4} or bits > 16:
        raise Damage("holds floating-point, signed or 32-bit values, of which no picture range is known", FEWER_BITS)
    preview = bool(_one(first, SUBFILE) & 1 and SUB_DIRECTORIES in first)
    alike = sum((_one(one, HEIGHT), _one(one, WIDTH)) == (height, width) for one in directories)
    return Facts(
        height,
        width,
        _orientation(first),
        min(alike, 2),
        _one(first, COMPRESSION) in LOSSY,
        BYTE if bits <= 8 else 65535,
        preview or DNG_VERSION in first,
    )


def _check_deflated(content: bytes, directory: Directory) -> None:
    """Unpack the strips and tiles for their checksums alone, and no further than a picture of this size can go.

    Raises:
        Damage: One does not match its own.
    """
    pixels = _one(directory, HEIGHT) * _one(directory, WIDTH)
    # tiles go over the edges
    left = 4 * pixels * max(1, _one(directory, SAMPLES)) * max(directory.get(BITS, (8,))) // 8 + _PIECE
    view, unread = memoryview(content), len(content)
    for start, size in STARTS_AND_SIZES:
        for at, length in zip(directory.get(start, ()), directory.get(size, ()), strict=False):
            packed: bytes | memoryview = view[at : at + length]
            unread -= length
            if unread < 0:  # strips that lie over one another may all claim the whole file
                return
            unpacker = zlib.decompressobj()
            while packed and left > 0 and not unpacker.eof:
                try:
                    left -= len(unpacker.decompress(packed, _PIECE))
                except zlib.error:
                    raise Damage("does not match its own checksum") from None
                packed = unpacker.unconsumed_tail


def _orientation(directory: Directory) -> int:
    number = _one(directory, ORIENTATION)
    return number if 1 <= number <= 8 else 1


def _one(directory: Directory, tag: int) -> int:
    return (directory.get(tag) or (0,))[0]


def _directories(content: bytes) -> Iterator[Directory]:
    """The directories in their order; offsets of bigger files (BigTIFF) have 8 bytes."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return
    big = content[2:4] in (b"+\0", b"\0+")
    offset, count = ("Q", "Q") if big else ("I", "H")
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset, content, 8 if big else 4)
        while at and at not in seen and len(seen) < MOST_DIRECTORIES:
            seen.add(at)
            (entries,) = struct.unpack_from(order + count, content, at)
            if entries > MOST_ENTRIES:
                raise Damage("has a directory that makes no sense")
            at += struct.calcsize(order + count)
            entry = struct.calcsize(order + "HH" + offset * 2)
            wanted = ONE_VALUE if len(seen) > 1 else ONE_VALUE | ALL_VALUES
            yield _entries(content, at, entries, order, offset, wanted)
            (at,) = struct.unpack_from(order + offset, content, at + entries * entry)
    except (struct.error, OverflowError):  # a place beyond the file, or beyond 2^63
        raise Damage(CUT_OFF) from None


def _entries(content: bytes, at: int, entries: int, order: str, offset: str, wanted: frozenset[int]) -> Directory:
    """The values of a directory by tag; of a tag that comes twice the first, as libtiff takes it.

    Nothing else is unpacked: thousands of entries may all claim to have the whole file as their values.
    """
    form = order + "HH" + offset
    room = struct.calcsize(order + offset)
    found: Directory = {}
    for index in range(entries):
        place = at + index * (struct.calcsize(form) + room)
        tag, kind, count = struct.unpack_from(form, content, place)
        place += struct.calcsize(form)
        if tag not in wanted or tag in found or kind not in _CODES or not count:
            continue
        size = struct.calcsize(order + _CODES[kind]) * count
        if size > len(content):
            raise Damage("has a directory that makes no sense")
        if size > room:
            (place,) = struct.unpack_from(order + offset, content, place)
        found[tag] = struct.unpack_from(f"{order}{count if tag in ALL_VALUES else 1}{_CODES[kind]}", content, place)
    return found
