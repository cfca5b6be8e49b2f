"""Headers of BMP, GIF, PNM, WebP and JPEG 2000 files."""

from __future__ import annotations

import re
import struct

from fcn_edge.io.images.facts import BYTE, CUT_OFF, FEWER_BITS, HEADLESS, Damage, Facts
from fcn_edge.io.images.tiff import orientation_in

__all__ = [
    "bmp_facts",
    "gif_facts",
    "gif_without_background",
    "is_plain",
    "jpeg_2000_facts",
    "pnm_facts",
    "webp_facts",
]

_GAP = rb"((?:\s|#[^\n]*\n)+)"
_PNM = re.compile(rb"P([1-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})(?:" + _GAP + rb"(\d{1,9}))?\s")
_PAM = re.compile(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,9})[ \t\r]*$", re.MULTILINE)
_BITS = frozenset({1, 4})
"""Kinds of PNM whose pixels are one bit each and that have no largest value."""


def pnm_facts(content: bytes) -> Facts:
    """What a PBM, PGM, PPM or PAM file says of its picture.

    Raises:
        Damage: It is cut off, or says nothing of its size.
    """
    if content.startswith(b"P7"):
        header, _, rest = content[: 1 << 12].partition(b"ENDHDR\n")
        said = {key: int(value) for key, value in _PAM.findall(header)}
        if not rest or len(said) < 4:
            raise Damage(HEADLESS)
        height, width, channels, top = (said[key] for key in (b"HEIGHT", b"WIDTH", b"DEPTH", b"MAXVAL"))
        start = len(header) + len(b"ENDHDR\n")
    else:
        number = content[1] - ord("0")
        found = _PNM.match(content[: 1 << 16])
        if found is None or (number not in _BITS and found[7] is None):
            raise Damage(HEADLESS)
        width, height = int(found[3]), int(found[5])
        top, channels = int(found[7] or 1), 3 if number in (3, 6) else 1
        if number in _BITS:
            return _whole(Facts(height, width), len(content), found.start(6) if found[6] else found.end(), 0)
        start = found.end()
    if not 0 < top < 1 << 16:
        raise Damage("has a largest value that makes no sense")
    size = 0 if is_plain(content) else height * width * channels * (1 if top <= BYTE else 2)
    pictures = 2 if size and content[start + size : start + size + 2] == content[:2] else 1
    return _whole(Facts(height, width, pictures=pictures, top=top), len(content), start, size)


def is_plain(content: bytes) -> bool:
    """Whether a PNM file is written as text; OpenCV scales the values of such files where they have 8 bits."""
    return content[1:2] in (b"1", b"2", b"3")


def bmp_facts(content: bytes) -> Facts:
    """What a BMP file says of its picture.

    Raises:
        Damage: It is cut off, or packed as no BMP file of today is.
    """
    try:
        start, header = struct.unpack_from("<II", content, 10)
        if header == 12:
            width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
            packed = 0
        else:
            width, height, _, bits, packed = struct.unpack_from("<iiHHI", content, 18)
    except struct.error:
        raise Damage(HEADLESS) from None
    if packed > 3:
        raise Damage("is packed in a way that is not read, or is damaged")
    height = abs(height)  # negative where the top row comes first
    size = 0 if packed in (1, 2) else (width * bits + 31) // 32 * 4 * height
    return _whole(Facts(height, max(width, 0)), len(content), start, size)


def gif_facts(content: bytes) -> Facts:
    """What a GIF file says of its picture.

    Raises:
        Damage: It is cut off.
    """
    if len(content) < 13:
        raise Damage(HEADLESS)
    width, height = struct.unpack_from("<HH", content, 6)
    at, pictures = 13 + _table(content[10]), 0
    while at < len(content) and content[at] in (0x21, 0x2C):
        if content[at] == 0x2C:
            pictures += 1
            if at + 10 > len(content):
                break
            at += 11 + _table(content[at + 9])
        else:
            at += 2
        while at < len(content) and content[at]:
            at += 1 + content[at]
        at += 1
    if not pictures or at > len(content):
        raise Damage(CUT_OFF)
    return Facts(height, width, pictures=min(pictures, 2))


def gif_without_background(content: bytes) -> bytes:
    """A GIF file whose background is a color that it has: OpenCV refuses those that name another, which are many."""
    colors = _table(content[10]) // 3
    return content[:11] + b"\0" + content[12:] if content[11] >= colors else content


def webp_facts(content: bytes) -> Facts:
    """What a WebP file says of its picture.

    Raises:
        Damage: It is cut off, or has no picture.
    """
    end = int.from_bytes(content[4:8], "little") + 8
    if end > len(content):
        raise Damage(CUT_OFF)
    height = width = 0
    orientation, pictures, lossy, at = 1, 1, False, 12
    while at + 8 <= end:
        kind, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        data = content[at + 8 : at + 8 + size]
        if kind == b"VP8X" and len(data) >= 10:
            pictures = 2 if data[0] & 2 else 1
            width, height = (int.from_bytes(data[part : part + 3], "little") + 1 for part in (4, 7))
        elif kind == b"VP8L" and len(data) >= 5 and not width:
            sides = int.from_bytes(data[1:5], "little")
            width, height = (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
        elif kind == b"VP8 " and len(data) >= 10:
            lossy = True
            if not width:
                width, height = (int.from_bytes(data[part : part + 2], "little") & 0x3FFF for part in (6, 8))
        elif kind == b"EXIF":
            orientation = orientation_in(data.removeprefix(b"Exif\0\0"))
        at += 8 + size + size % 2
    if not width:
        raise Damage(HEADLESS)
    return Facts(height, width, orientation, pictures, lossy)


def jpeg_2000_facts(content: bytes) -> Facts:
    """What a JPEG 2000 file says of its picture.

    Raises:
        Damage: It says nothing of its size.
    """
    start = content.find(b"\xff\x4f\xff\x51")
    try:
        right, bottom, left, above = struct.unpack_from(">IIII", content, start + 8)
        (bits,) = struct.unpack_from(">B", content, start + 42)
    except struct.error:
        right = 0
    if start < 0 or not right:
        raise Damage(HEADLESS)
    if bits & 128:
        raise Damage("holds signed values, of which no picture range is known", FEWER_BITS)
    return Facts(max(0, bottom - above), max(0, right - left), lossy=True, top=BYTE if bits < 8 else 65535)


def _table(flags: int) -> int:
    """Bytes of a GIF's color table."""
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _whole(facts: Facts, length: int, start: int, size: int) -> Facts:
    if start + size > length:
        raise Damage(CUT_OFF)
    return facts
