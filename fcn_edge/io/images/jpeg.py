"""JPEG files: their segments, and where their picture ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fcn_edge.io.images.facts import CUT_OFF, HEADLESS, Damage, Facts
from fcn_edge.io.images.tiff import orientation_in

__all__ = ["is_damage", "jpeg_facts"]

SOI, EOI, SOS, FILL = 0xD8, 0xD9, 0xDA, 0xFF
PROGRESSIVE = 0xC2
STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})

_EXIF, _MULTI_PICTURE = b"Exif\0\0", b"MPF\0"
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""What ends the data of a scan; restart markers and stuffed bytes belong to it."""

_BUFFERED = 16
"""Bytes that libjpeg may have taken beyond the picture's own when it looks for the end."""

MOST_SCANS = 500
"""Scans of a picture at most, as libjpeg-turbo's own programs bound them: ten are usual, each costs a walk through all
blocks, and an empty one takes ten bytes of a file."""

_DAMAGE = re.compile(r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression")
_EXTRA = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]+)")
_FEW = 4
"""Bytes that a camera leaves in front of a marker at most: some webcams do so in every picture, and all of it is there.
Of damaged files about one in a hundred has no more of them, and nothing else that tells of the damage."""


def jpeg_facts(content: bytes) -> Facts:
    """What a JPEG file says of its picture.

    Raises:
        Damage: It is cut off, has no picture, or one of too many scans.
    """
    height = width = scans = 0
    missing: set[tuple[int, int]] = set()
    orientation, multi, scan, end = 0, False, 0, 0
    for marker, at, data in _segments(content):
        if marker in FRAMES and not width:
            height, width = int.from_bytes(data[1:3], "big"), int.from_bytes(data[3:5], "big")
            if marker == PROGRESSIVE:
                missing = {(component, place) for component in data[6::3] for place in range(64)}
        elif marker == 0xE1 and not orientation and data.startswith(_EXIF):  # OpenCV asks the first, too
            orientation = orientation_in(data[len(_EXIF) :])
        elif marker == 0xE2 and data.startswith(_MULTI_PICTURE):
            multi = True
        elif marker == SOS:
            scan, scans = scan or at, scans + 1
            if scans > MOST_SCANS:
                raise Damage(f"has more than {MOST_SCANS} scans")
            if missing:
                missing -= _completed(data)
        elif marker == EOI:
            end = at
    if not width:
        raise Damage(HEADLESS)
    if not end and (not scan or content.find(b"\xff\xd9", scan) < 0):  # damage may look like a segment that hides it
        raise Damage(CUT_OFF)
    # as in Motion JPEG; a phone that puts a second picture behind the first says so
    pictures = 2 if end and not multi and content.startswith(b"\xff\xd8\xff", end) else 1
    return Facts(height, width, orientation or 1, pictures, lossy=True, partial=bool(missing))


def _completed(scan: bytes) -> set[tuple[int, int]]:
    """The coefficients, by component and place, whose last bit a scan of a progressive file brings."""
    count = scan[0] if scan else 0
    if len(scan) < 4 + 2 * count or scan[3 + 2 * count] & 15:
        return set()
    first, last = scan[1 + 2 * count], scan[2 + 2 * count]
    return {(component, place) for component in scan[1 : 1 + 2 * count : 2] for place in range(first, last + 1)}


def is_damage(lines: list[str], content: bytes) -> bool:
    """Whether what libjpeg prints tells of damage.

    Cameras that leave a few bytes in front of markers, or fill up the end of their files, are no such case.
    """
    for line in lines:
        extra = _EXTRA.search(line)
        if extra and int(extra[1]) <= _FEW:
            continue
        if extra and extra[2] == "d9":
            data = content[: content.rfind(b"\xff\xd9")]
            filling = len(data) - len(data.rstrip(b"\0\xff"))
            # where more is filled than was left over, the picture itself ends in it
            if not int(extra[1]) <= filling <= int(extra[1]) + _BUFFERED:
                return True
        elif _DAMAGE.search(line):
            return True
    return False


def _segments(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, end and data of each segment up to the end of the picture; its scans' own data are passed over.

    Segments are skipped by their length, because the thumbnail inside one is a JPEG of its own.
    """
    at = 2
    while at + 2 <= len(content):
        if content[at] != FILL:  # garbage between segments; decoders pass over it
            found = _MARKER.search(content, at)
            if found is None:
                return
            at = found.end() - 2
        marker = content[at + 1]
        if marker == FILL:
            at += 1
            continue
        if marker == EOI:
            yield marker, at + 2, b""
            return
        if marker in STANDALONE or marker in (0, SOI):
            at += 2
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        end = at + 2 + length
        if length < 2 or end > len(content):
            return
        yield marker, end, content[at + 4 : end]
        at = end
        if marker == SOS:
            found = _MARKER.search(content, at)
            if found is None:
                return
            at = found.end() - 2
