"""Images and label maps in every format that is read."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...image_files import chunk, turned
from ..damages import BYTES, EXTREMES, bytes_damaged
from ..parser import Parser

__all__ = ["PARSERS"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZE = (24, 40)


def photo() -> NDArray[np.uint8]:
    """``(H, W, 3)`` uint8 with slopes and an edge."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    channels = [rows * 7, columns * 5, 90 + 60 * (rows > 9)]
    return np.stack([channel.astype(np.uint8) for channel in channels], axis=2)


def ids(dtype: Any = np.uint8) -> NDArray[Any]:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return ((rows // 6 + columns // 10) % 5).astype(dtype)


def written(suffix: str, *options: tuple[int, ...]) -> Callable[[Path], list[bytes]]:
    """A photo as OpenCV writes it in a format, once for each set of options."""

    def made(_: Path) -> list[bytes]:
        import cv2

        return [cv2.imencode(suffix, photo(), list(each))[1].tobytes() for each in options or ((),)]

    return made


def jpegs(folder: Path) -> list[bytes]:
    """Plain and progressive, and one that lies on its side, as EXIF tells."""
    import cv2

    plain, progressive = written(".jpg", (), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))(folder)
    return [plain, progressive, turned(plain, 6)]


def tiffs(folder: Path) -> list[bytes]:
    import cv2

    return [*written(".tif", (), (cv2.IMWRITE_TIFF_COMPRESSION, 1))(folder), cv2.imencode(".tif", ids())[1].tobytes()]


def png(header: bytes, rows: Sequence[bytes], *more: tuple[bytes, bytes]) -> bytes:
    """A PNG file of rows as they are stored, without filters."""
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return joined([(b"IHDR", header), *more, (b"IDAT", data), (b"IEND", b"")])


def label_pngs(_: Path) -> list[bytes]:
    """Gray of 8, 16 and 1 bits, and palettes of 8 and 4."""
    height, width = SIZE
    values = ids()
    bits = [np.packbits(row > 1).tobytes() for row in values]
    nibbles = [bytes(int(a) << 4 | int(b) for a, b in zip(row[::2], row[1::2], strict=True)) for row in values]
    palette = (b"PLTE", bytes(range(48)))

    def header(depth: int, color: int) -> bytes:
        return struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)

    return [
        png(header(8, 0), [row.tobytes() for row in values]),
        png(header(16, 0), [row.astype(">u2").tobytes() for row in values]),
        png(header(1, 0), bits),
        png(header(8, 3), [row.tobytes() for row in values], palette),
        png(header(4, 3), nibbles, palette),
    ]


def label_pngs_of_bytes(folder: Path) -> list[bytes]:
    return [content for place, content in enumerate(label_pngs(folder)) if place != 1]


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += 12 + length


def joined(parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG file of chunks, each with its right checksum."""
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def chunk_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """What a PNG file's chunks hold, behind right checksums; sides in the header are extremes."""
    parts = list(chunks(whole))
    place = chance.randrange(len(parts))
    kind, data = parts[place]
    if kind == b"IHDR" and chance.random() < 0.6:
        sides = [chance.choice((*EXTREMES, 1 << 14, 30_000)) if chance.random() < 0.6 else None for _ in range(2)]
        old = struct.unpack_from(">II", data)
        both = [side & 0xFFFFFFFF if side is not None else was for side, was in zip(sides, old, strict=True)]
        parts[place] = kind, struct.pack(">II", *both) + data[8:]
    elif kind == b"IDAT" and chance.random() < 0.6:
        parts[place] = kind, zlib.compress(bytes_damaged(zlib.decompress(data), chance))
    elif chance.random() < 0.3:
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(parts))
    else:
        parts[place] = kind, bytes_damaged(data, chance)
    return joined(parts)


def image(path: Path, _: Path) -> object:
    """As a source of one frame, which every command reads images through."""
    from fcn_edge.io.images import read_image
    from fcn_edge.runtime.sources import open_source

    with open_source(path) as source:
        frames = [frame.image for frame in source]
    assert all(frame.ndim == 3 and frame.dtype == np.uint8 for frame in frames)
    return read_image(path)


def labels(path: Path, _: Path) -> object:
    from fcn_edge.errors import DatasetError
    from fcn_edge.io.images import read_ids, read_labels

    try:
        given = read_ids(path)
    except DatasetError:
        given = None
    read = read_labels(path)
    assert given is not None
    assert read.shape == given.shape
    return read


def other_ids(path: Path, _: Path) -> object:
    from fcn_edge.io.images import read_ids

    return read_ids(path)


def color_pngs(folder: Path) -> list[bytes]:
    """RGB, and RGBA with a text in it."""
    made = written(".png")(folder)
    height, width = SIZE
    rgba = np.dstack([photo(), np.full(SIZE, 200, np.uint8)])
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return [*made, png(header, [row.tobytes() for row in rgba], (b"tEXt", b"a\0b"))]


PNG = (*BYTES, *(chunk_damaged,) * 6)
PARSERS = (
    Parser("image.png", "image.png", color_pngs, image, PNG, 2),
    Parser("image.jpg", "image.jpg", jpegs, image, BYTES, 2),
    Parser("image.bmp", "image.bmp", written(".bmp"), image, BYTES, 1),
    Parser("image.webp", "image.webp", written(".webp", (64, 80), (64, 101)), image, BYTES, 1),
    Parser("image.tif", "image.tif", tiffs, image, BYTES, 1.5),
    Parser("labels.png", "labels.png", label_pngs_of_bytes, labels, PNG, 2),
    Parser("labels.ids", "labels.png", label_pngs, other_ids, PNG, 1),
)
