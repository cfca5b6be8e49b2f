"""AVIF files: their size, and the turn that their boxes ask for.

What counts is the turn among the properties of the picture (``irot``, ``imir``); an orientation in its EXIF block says
nothing (MIAF, ISO/IEC 23000-22, section 7.3.9). OpenCV does it the other way around.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from fcn_edge.io.images.facts import CUT_OFF, HEADLESS, Damage, Facts

__all__ = ["avif_facts"]

MOST_HEADER = 1 << 16
"""Bytes at the beginning in which the properties lie; they are short, and one picture has about ten."""

ORIENTATIONS = {
    (0, None): 1,
    (1, None): 8,
    (2, None): 3,
    (3, None): 6,
    (0, 0): 4,
    (1, 0): 5,
    (2, 0): 2,
    (3, 0): 7,
    (0, 1): 2,
    (1, 1): 7,
    (2, 1): 4,
    (3, 1): 5,
}
"""EXIF's number by quarter turns counterclockwise, and what is mirrored then: 0 top and bottom, 1 left and right."""


def avif_facts(content: bytes) -> Facts:
    """What an AVIF file says of its pictures; the size is that of the largest.

    Raises:
        Damage: It is cut off, or says nothing of its size.
    """
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        at = len(content) if size == 0 else at + max(size, 8)
    if at > len(content):
        raise Damage(CUT_OFF)
    header = content[:MOST_HEADER]
    # of a picture in tiles: each tile's size, and that of the whole
    sizes = [struct.unpack(">II", found) for found in re.findall(rb"ispe.{4}(.{8})", header, re.DOTALL)]
    if not sizes:
        raise Damage(HEADLESS)
    width, height = max(sizes, key=lambda size: int(size[0]) * int(size[1]))
    pictures = 2 if content[8:12] == b"avis" else 1
    return Facts(height, width, _orientation(header), pictures, lossy=True)


def _orientation(header: bytes) -> int:
    """EXIF's number for the turn of the main picture; 1 where it has none, or where its boxes make no sense."""
    meta = dict(_boxes(header)).get(b"meta", b"")[4:]
    inside = dict(_boxes(meta))
    properties = dict(_boxes(inside.get(b"iprp", b"")))
    pitm = inside.get(b"pitm", b"")
    main = int.from_bytes(pitm[4:] if pitm[:1] == b"\1" else pitm[4:6], "big")
    all_boxes = list(_boxes(properties.get(b"ipco", b"")))
    turns, mirrored = 0, None
    for index in _properties_of(main, properties.get(b"ipma", b"")):
        kind, data = all_boxes[index - 1] if 0 < index <= len(all_boxes) else (b"", b"")
        if kind == b"irot" and data:
            turns = data[0] & 3
        elif kind == b"imir" and data:
            mirrored = data[0] & 1
    return ORIENTATIONS[turns, mirrored]


def _properties_of(item: int, ipma: bytes) -> list[int]:
    """Numbers of the properties of an item, counted from 1."""
    if len(ipma) < 8:
        return []
    wide_item, wide_index = bool(ipma[0]), bool(ipma[3] & 1)
    at = 8
    for _ in range(int.from_bytes(ipma[4:8], "big")):
        start = at + (4 if wide_item else 2)
        if start >= len(ipma):
            break
        step = 2 if wide_index else 1
        end = start + 1 + ipma[start] * step
        if int.from_bytes(ipma[at:start], "big") == item:
            indices = (int.from_bytes(ipma[place : place + step], "big") for place in range(start + 1, end, step))
            # the highest bit says that readers must know the property
            return [index & (0x7FFF if wide_index else 0x7F) for index in indices]
        at = end
    return []


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of the boxes that follow one another."""
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8:  # to the end, or longer than any box of properties
            return
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size
