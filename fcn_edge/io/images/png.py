"""PNG files: their chunks, each with its checksum, and those whose pixels are one number each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from fcn_edge.io.images.facts import BYTE, CUT_OFF, HEADLESS, Damage, Facts
from fcn_edge.io.images.tiff import orientation_in

__all__ = ["is_marked", "marked", "plain_gray", "png_facts"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_END = 33
"""Bytes of the signature and the first chunk, which every PNG file begins with."""
GRAY, PALETTE = 0, 3
"""Color types whose pixels are one number each."""


def png_facts(content: bytes) -> Facts:
    """What a PNG file says of its picture.

    Raises:
        Damage: It is cut off, or a chunk does not match its checksum.
    """
    header = b""
    orientation, pictures, ended = 1, 1, False
    for kind, data in _chunks(content):
        if not header and kind != b"IHDR":
            break
        if kind == b"IHDR":
            header = bytes(data)
        elif kind == b"eXIf":
            orientation = orientation_in(bytes(data))
        elif kind == b"acTL" and len(data) == 8:
            pictures = min(2, max(1, int.from_bytes(data[:4], "big")))
        ended = ended or kind == b"IEND"
    if len(header) != 13:
        raise Damage(HEADLESS)
    if not ended:
        raise Damage(CUT_OFF)
    width, height, depth = struct.unpack_from(">IIB", header)
    return Facts(height, width, orientation, pictures, top=65535 if depth == 16 else BYTE)


def plain_gray(content: bytes) -> tuple[bytes, int]:
    """A PNG file of one number per pixel as a gray one without palette, and its bits a pixel; others as they are.

    The pixels of both color types are stored alike (PNG specification, section 11.2.2), so only the header changes.
    Chunks beside the pixels, such as transparency, are left out.

    Args:
        content: A file of which ``png_facts`` found no damage.
    """
    chunks = [(kind, bytes(data)) for kind, data in _chunks(content) if kind in (b"IHDR", b"IDAT", b"IEND")]
    header = chunks[0][1]
    depth, color_type = header[8], header[9]
    if color_type not in (GRAY, PALETTE):
        return content, 8
    chunks[0] = (b"IHDR", header[:9] + bytes([GRAY]) + header[10:])
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks), min(depth, 8)


def marked(content: bytes) -> bytes:
    """A PNG file with a note that fcn_edge made it, by which ``is_marked`` knows it."""
    return content[:HEADER_END] + _MARK + content[HEADER_END:]


def is_marked(path: Path) -> bool:
    """Whether a file is what ``marked`` made; what other programs save does not keep the note at its place."""
    try:
        with path.open("rb") as file:
            return file.read(HEADER_END + len(_MARK)).endswith(_MARK)
    except OSError:  # nobody knows, so nothing may be lost
        return False


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_MARK = _chunk(b"tEXt", b"Software\0fcn_edge")


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and data of every whole chunk up to the end of the picture.

    Raises:
        Damage: A chunk does not match its checksum.
    """
    view, at = memoryview(content), len(SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        if end > len(content):
            return
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise Damage("does not match its own checksum")
        kind = content[at + 4 : at + 8]
        yield kind, view[at + 8 : end - 4]
        if kind == b"IEND":
            return
        at = end
