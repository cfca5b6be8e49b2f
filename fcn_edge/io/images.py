"""Images and label maps on disk, read with OpenCV and checked."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.io.files import opened_now
from fcn_edge.io.opencv import cv2

__all__ = ["IMAGE_SUFFIXES", "read_ids", "read_image", "read_labels", "write_png"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the files that are taken for images, in lower case."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, PALETTE = 0, 3
"""PNG color types whose pixels are one number each."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as ``(H, W, 3)`` uint8 BGR.

    Raises:
        DatasetError: The file is missing, cut off, or no image that OpenCV can read.
    """
    image: NDArray[np.uint8] = _decoded(path, _content(path), cv2().IMREAD_COLOR)
    return image


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A label file as ``(H, W)`` uint8 class ids.

    A PNG file with a palette (as PASCAL VOC's) gives the numbers of its palette entries, and one of fewer than 8 bits
    a pixel the numbers as stored: OpenCV alone would give colors and scaled values.

    Raises:
        DatasetError: The file is missing, cut off, unreadable, or not single-channel 8-bit.
    """
    labels = _stored(path)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        shape = "x".join(str(side) for side in labels.shape)
        raise DatasetError(
            f"{path} is {shape} {labels.dtype}; labels are single-channel 8-bit PNG files of class ids.",
            "Convert color masks with fcn-edge data import.",
        )
    return cast("NDArray[np.uint8]", labels)


def read_ids(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A label file of other ids as ``(H, W)`` uint8 or uint16.

    More forgiving than ``read_labels``: ids may have 16 bits, and an image whose channels are all alike counts as one
    channel.

    Raises:
        DatasetError: The file is missing, cut off, unreadable, or its pixels are not one number each.
    """
    ids = _stored(path)
    if ids.ndim == 3 and (ids[:, :, :3] == ids[:, :, :1]).all():
        ids = np.ascontiguousarray(ids[:, :, 0])
    if ids.ndim != 2 or ids.dtype not in (np.uint8, np.uint16):
        shape = "x".join(str(side) for side in ids.shape)
        raise DatasetError(
            f"{path} is {shape} {ids.dtype}; a file with one id a pixel was expected.",
            "Give --colors for masks that are coded by color.",
        )
    return cast("NDArray[np.uint8] | NDArray[np.uint16]", ids)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a ``(H, W)`` or ``(H, W, 3)`` BGR uint8 array as a PNG file.

    Raises:
        OSError: The file cannot be written.
    """
    _, encoded = cv2().imencode(".png", image)
    path.write_bytes(encoded.tobytes())


def _stored(path: Path) -> NDArray[Any]:
    """The numbers of a label file as they are stored, of whatever shape and type."""
    content = _content(path)
    depth = 8
    if content.startswith(PNG_SIGNATURE):
        content, depth = _plain_gray(content)
    labels = _decoded(path, content, cv2().IMREAD_UNCHANGED)
    if depth < 8:
        labels //= np.uint8(255 // (2**depth - 1))
    return labels


def _content(path: Path) -> bytes:
    try:
        with opened_now(path) as file:
            return file.read()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def _decoded(path: Path, content: bytes, flags: int) -> NDArray[Any]:
    # decoded from memory, not imread: it takes every file name and prints nothing of its own
    image = None
    if content and not _cut_off(content):
        try:
            image = cv2().imdecode(np.frombuffer(content, np.uint8), flags)
        except cv2().error:  # a header with absurd sides
            image = None
    if image is None:
        raise DatasetError(f"{path} is not an image that OpenCV can read, or is cut off.", "Replace the file.")
    return cast("NDArray[Any]", image)


def _cut_off(content: bytes) -> bool:
    """Whether a JPEG or PNG file lacks its end; some OpenCV versions fill the rest with gray and say nothing."""
    if content.startswith(b"\xff\xd8"):
        scan = _jpeg_scan(content)
        # what follows the end of the image, such as a phone's short film, is none of it
        return scan is None or content.find(b"\xff\xd9", scan) < 0
    if content.startswith(PNG_SIGNATURE):
        return all(kind != b"IEND" for kind, _ in _png_chunks(content))
    return False


def _jpeg_scan(content: bytes) -> int | None:
    """Where the first scan of a JPEG file begins; None where the file ends before.

    Segments are skipped by their length, because the thumbnail inside one is a JPEG of its own.
    """
    start_of_scan, fill, standalone = 0xDA, 0xFF, {0x01, *range(0xD0, 0xD9)}
    position = 2
    while position + 4 <= len(content) and content[position] == fill:
        marker = content[position + 1]
        if marker == start_of_scan:
            return position
        if marker == fill:
            position += 1
        elif marker in standalone:
            position += 2
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return None


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of every whole chunk of a PNG file."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        end = position + 12 + length
        if end > len(content):
            return
        yield content[position + 4 : position + 8], content[position + 8 : end - 4]
        position = end


def _plain_gray(content: bytes) -> tuple[bytes, int]:
    """A PNG file of one number per pixel as a gray one without palette, and its bits a pixel; others as they are.

    The pixels of both color types are stored alike (PNG specification, section 11.2.2), so only the header changes.
    """
    chunks = list(_png_chunks(content))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        return content, 8
    header = chunks[0][1]
    depth, color_type = header[8], header[9]
    if color_type == PALETTE:
        header = header[:9] + bytes([GRAY]) + header[10:]
        parts = [(b"IHDR", header), *((kind, data) for kind, data in chunks[1:] if kind in (b"IDAT", b"IEND"))]
        content = PNG_SIGNATURE + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in parts
        )
        return content, depth
    return content, depth if color_type == GRAY and depth in (1, 2, 4) else 8
