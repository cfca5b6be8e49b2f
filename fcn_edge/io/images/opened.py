"""A picture file, known by its content and bounded before a decoder sees it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.errors import DatasetError
from fcn_edge.io.images.avif import avif_facts
from fcn_edge.io.images.facts import Damage, Facts
from fcn_edge.io.images.jpeg import jpeg_facts
from fcn_edge.io.images.kinds import AVIF, BMP, GIF, HEAD, JPEG, JPEG_2000, PNG, PNM, RAW, TIFF, WEBP, Kind, kind_of
from fcn_edge.io.images.others import bmp_facts, gif_facts, jpeg_2000_facts, pnm_facts, webp_facts
from fcn_edge.io.images.png import png_facts
from fcn_edge.io.images.support import is_built_in
from fcn_edge.io.images.tiff import tiff_facts

__all__ = ["MOST_PIXELS", "Opened", "head_of", "opened", "pictures_in"]

MOST_PIXELS = 1 << 29
"""Pixels of an image at most; 23170x23170. A header of a few bytes may announce any number."""

MOST_BYTES = (1 << 31) - 1
"""Bytes of an image file at most; OpenCV takes no more."""

FACTS: Mapping[Kind, Callable[[bytes], Facts]] = {
    JPEG: jpeg_facts,
    PNG: png_facts,
    BMP: bmp_facts,
    WEBP: webp_facts,
    TIFF: tiff_facts,
    PNM: pnm_facts,
    GIF: gif_facts,
    AVIF: avif_facts,
    JPEG_2000: jpeg_2000_facts,
}


@dataclass(frozen=True)
class Opened:
    """An image file that is whole as far as its structure tells.

    Attributes:
        path: The file.
        content: Its bytes.
        kind: What it is.
        facts: What its header says.
    """

    path: Path
    content: bytes
    kind: Kind
    facts: Facts


def head_of(path: Path) -> bytes:
    """The first bytes of a file, enough for ``kind_of``.

    Raises:
        DatasetError: It is no file, or cannot be read.
    """
    return _read(path, HEAD)


def pictures_in(path: Path, kind: Kind) -> int:
    """How many pictures a file of a readable kind holds, 2 for more than one; 1 of a damaged one.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        return FACTS[kind](_read(path, MOST_BYTES)).pictures
    except Damage:
        return 1


def opened(path: Path) -> Opened:
    """Read a file that should be an image.

    Raises:
        DatasetError: It is missing, no image, one of a kind that is not read here, cut off, damaged, or too large.
    """
    head = head_of(path)
    kind = kind_of(head)
    if not head:
        raise DatasetError(f"{path} is empty; an image was expected.", "Replace the file.")
    if kind is None:
        raise DatasetError(f"{path} is not an image that can be read here.", "Replace the file.")
    if not kind.readable:
        raise DatasetError(f"{path} is {kind.name}, which is not read here.", kind.fix)
    if not is_built_in(kind):
        raise DatasetError(f"{path} is {kind.name}, and this OpenCV is built without that format.", kind.fix)
    content = _read(path, MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DatasetError(f"{path} has more than {MOST_BYTES >> 30} GiB, too many for an image.", "Make it smaller.")
    try:
        facts = FACTS[kind](content)
    except Damage as damage:
        raise DatasetError(f"{path} is {kind.name} that {damage}.", damage.fix) from None
    if facts.raw:
        raise DatasetError(f"{path} is {RAW.name}, which is not read here.", RAW.fix)
    if facts.height * facts.width > MOST_PIXELS:
        raise DatasetError(
            f"{path} is {facts.height}x{facts.width} (height x width), more than {MOST_PIXELS / 1e6:.0f} megapixels.",
            "Make it smaller, or cut it into parts.",
        )
    if not facts.height or not facts.width:
        raise DatasetError(f"{path} is {kind.name} without a pixel.", "Replace the file.")
    return Opened(path, content, kind, facts)


def _read(path: Path, most: int) -> bytes:
    try:
        # a pipe would wait for ever
        if not stat.S_ISREG(path.stat().st_mode):
            raise DatasetError(f"{path} cannot be read: it is not a file.", "Check the path.")
        with path.open("rb") as file:
            # as much is allocated as is asked for: 2 GiB for any image, on a board that may have no more
            return file.read(min(most, os.fstat(file.fileno()).st_size + 1))
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
