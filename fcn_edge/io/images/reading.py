"""Images for a network, and files of class ids, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.io.images.decoding import decoded
from fcn_edge.io.images.facts import BYTE
from fcn_edge.io.images.kinds import GIF, JPEG_2000, PNG, PNM
from fcn_edge.io.images.opened import Opened, opened
from fcn_edge.io.images.others import is_plain
from fcn_edge.io.images.png import plain_gray
from fcn_edge.io.opencv import cv2

__all__ = ["Doubt", "doubted_image", "orientation_of", "read_ids", "read_image", "read_labels", "write_png"]

DARK = 1 << 14
"""An image of 16 bits whose values are all below this has 14 bits or fewer; a lit scene of all 16 has larger ones."""


@dataclass(frozen=True)
class Doubt:
    """Why an image that was read may not be what it should.

    Attributes:
        message: One sentence that names the file.
        fix: What to do about it.
        spoils: Its pixels are wrong, not only some of the file left out.
        bits: How many of its 16 bits seem to be used; 0 where that is not the doubt.
    """

    message: str
    fix: str
    spoils: bool = True
    bits: int = 0


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as ``(H, W, 3)`` uint8 BGR, upright where it tells its orientation.

    Of 16 bits a channel the upper 8 are taken; of a PNM file with a largest value of its own (``maxval``), its range.

    Raises:
        DatasetError: The file is missing, cut off, damaged, too large, or no image that OpenCV can read; or it has 16
            bits of which only the lower 14 or fewer are used, so that the image would come out black.
    """
    image, doubts = doubted_image(path)
    for doubt in doubts:
        if doubt.spoils:
            raise DatasetError(doubt.message, doubt.fix)
    return image


def doubted_image(path: Path, bits: int = 0) -> tuple[NDArray[np.uint8], tuple[Doubt, ...]]:
    """As ``read_image``, and what is doubtful about it: for who would rather go on than stop.

    Args:
        path: The file.
        bits: How many of the 16 bits are used, 8 to 16; values beyond become white. 0 where nobody said.

    Raises:
        DatasetError: There are no pixels at all.
    """
    file, doubts = opened(path), []
    deep = file.facts.top > BYTE
    # all 16 bits: what the upper 8 have lost cannot be told afterwards
    flags = cv2().IMREAD_COLOR | (cv2().IMREAD_ANYDEPTH if deep else 0)
    image, damaged = decoded(file, flags)
    if damaged or file.facts.partial:
        doubts.append(Doubt(f"{path} is damaged: parts of the image are lost.", "Replace the file, or remove it."))
    if file.facts.pictures > 1:
        doubts.append(
            Doubt(
                f"{path} holds several pictures, of which the first is read.",
                "Make a video or single images of it, such as with: ffmpeg -i FILE frame-%04d.png",
                spoils=False,
            )
        )
    if image.dtype == np.uint16:
        brightest = int(image.max())
        if not bits and file.facts.top == 65535 and 0 < brightest < DARK:
            doubts.append(_darkness(path, brightest))
        image = _eight_bits(image, file.facts.top, bits)
    elif file.kind is PNM and file.facts.top < BYTE and not is_plain(file.content):
        image = _scaled(image, file.facts.top)
    return cast("NDArray[np.uint8]", image), tuple(doubts)


def orientation_of(path: Path) -> int:
    """EXIF's orientation of an image file, by which ``read_image`` turns it: 1 (upright) to 8.

    Raises:
        DatasetError: As ``read_image``, but nothing is decoded.
    """
    return opened(path).facts.orientation


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A label file as ``(H, W)`` uint8 class ids.

    A PNG file with a palette (as PASCAL VOC's) gives the numbers of its palette entries, and one of fewer than 8 bits
    a pixel the numbers as stored: OpenCV alone would give colors and scaled values.

    Raises:
        DatasetError: The file is missing, cut off, damaged, of a format that changes values, or not single-channel
            8-bit.
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
        DatasetError: The file is missing, cut off, damaged, of a format that changes values, or its pixels are not one
            number each.
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
    file = opened(path)
    if file.kind is JPEG_2000:
        raise DatasetError(
            f"{path} is a JPEG 2000 image. Lossy compression may have changed its class ids, and nothing in it tells.",
            "Where it was written without loss, convert it to PNG: opj_decompress -i FILE.jp2 -o FILE.png",
        )
    if file.facts.lossy:
        raise DatasetError(
            f"{path} is {file.kind.name} with lossy compression, which changes class ids: they cannot be told from it.",
            _way_from_lossy(file),
        )
    if file.kind is GIF:
        raise DatasetError(f"{path} is a GIF image, of which colors and no ids are read.", "Convert it to PNG.")
    content, depth = plain_gray(file.content) if file.kind is PNG else (file.content, 8)
    labels, _ = decoded(file, cv2().IMREAD_UNCHANGED, content)
    if depth < 8:
        labels //= np.uint8(255 // (2**depth - 1))
    elif file.kind is PNM and file.facts.top < BYTE and is_plain(file.content):
        # OpenCV has scaled them and rounded down
        labels = ((labels.astype(np.uint32) * file.facts.top + BYTE - 1) // BYTE).astype(np.uint8)
    return labels


def _way_from_lossy(file: Opened) -> str:
    """What to do with a label file of a lossy format; masks of two values can be saved."""
    gray, _ = decoded(file, cv2().IMREAD_GRAYSCALE)
    low, high = (gray < 64).mean(), (gray >= 192).mean()
    if low + high > 0.9 and low and high:
        return (
            "A mask of black and white is restored by: fcn-edge data import ... --colors FILE --tolerance 127, where "
            "FILE has the lines '0 0 0 background' and '255 255 255 NAME'."
        )
    return "Take the masks from where they were made, as PNG. Converting these to PNG keeps the wrong ids."


def _darkness(path: Path, brightest: int) -> Doubt:
    # the numbers of bits that cameras have
    bits = next(bits for bits in (8, 10, 12, 14) if brightest < 1 << bits)
    return Doubt(
        f"{path} has 16 bits a value, of which at most {bits} are used (the largest is {brightest} of 65535): it is "
        "read as an almost black image.",
        "Scale such files once, all by the bits of the camera, such as with ImageMagick: mogrify -evaluate multiply "
        f"{1 << 16 - bits} FILES",
        bits=bits,
    )


def _eight_bits(image: NDArray[np.uint16], top: int, bits: int) -> NDArray[np.uint8]:
    if bits:
        return np.asarray(np.minimum(image >> (bits - 8), BYTE), np.uint8)
    return np.asarray(image >> 8, np.uint8) if top == 65535 else _scaled(image, top)


def _scaled(image: NDArray[Any], top: int) -> NDArray[np.uint8]:
    """Values of 0 to ``top`` as 0 to 255, rounded."""
    return np.asarray((np.minimum(image, top).astype(np.uint32) * BYTE + top // 2) // top, np.uint8)
