"""Image files made byte by byte, for tests of what reads them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

EXIF = b"Exif\0\0"


def picture(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """A smooth ``(H, W, 3)`` picture whose rows and columns all differ."""
    rows, columns = np.mgrid[:height, :width]
    channels = (rows * 255 // height, columns * 255 // width, (rows + columns) * 255 // (height + width))
    return np.stack(channels, axis=2).astype(np.uint8)


def encoded(suffix: str, image: NDArray[np.generic], *options: int) -> bytes:
    """What OpenCV writes of an image."""
    return bytes(cv2.imencode(suffix, image, options)[1].tobytes())


def noisy_jpeg(*options: int) -> bytes:
    """A JPEG of which the middle is far from both ends."""
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    return encoded(".jpg", cv2.blur(image, (3, 3)), *options)


def damaged_jpeg() -> bytes:
    """A JPEG with zeros in the middle of its picture, of which all segments are whole."""
    whole = noisy_jpeg()
    middle = len(whole) * 6 // 10
    return whole[:middle] + bytes(200) + whole[middle + 200 :]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file, with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(orientation: int) -> bytes:
    """An EXIF block, as a TIFF file of one entry."""
    return tiff_header({274: (3, orientation)})


def tiff_header(entries: Mapping[int, tuple[int, int]], order: str = "<") -> bytes:
    """A TIFF file of one directory: type and value by tag."""
    begin = b"II" if order == "<" else b"MM"
    parts = [begin, struct.pack(order + "HIH", 42, 8, len(entries))]
    for tag, (kind, value) in sorted(entries.items()):
        packed = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind], value)
        parts.append(struct.pack(order + "HHI", tag, kind, 1) + packed.ljust(4, b"\0"))
    return b"".join([*parts, bytes(4)])


def turned(content: bytes, orientation: int) -> bytes:
    """A JPEG, PNG or WebP file with an EXIF orientation."""
    block = exif(orientation)
    if content.startswith(b"\xff\xd8"):
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(EXIF + block) + 2) + EXIF + block + content[2:]
    if content.startswith(b"\x89PNG"):
        return content[:33] + chunk(b"eXIf", block) + content[33:]
    width, height = (60 - 1).to_bytes(3, "little"), (40 - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<IB3x", 10, 8) + width + height
    body = (
        b"WEBP" + extended + content[12:] + b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def boxes(brand: bytes, *compatible: bytes) -> bytes:
    """The begin of a file of ISO boxes, such as HEIC."""
    brands = b"".join(compatible)
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + brand + bytes(4) + brands + struct.pack(">I", 8) + b"mdat"


def gif(pictures: int, background: int = 0) -> bytes:
    """A GIF file of black pictures of one pixel; its table has two colors."""
    picture = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    return b"GIF89a\x01\0\x01\0\x80" + bytes([background, 0]) + b"\0\0\0\xff\xff\xff" + picture * pictures + b";"
