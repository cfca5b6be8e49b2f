"""Image files decoded with OpenCV; what its libraries print is caught, and believed when they say it twice."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.io.c_stderr import caught
from fcn_edge.io.images.jpeg import is_damage
from fcn_edge.io.images.kinds import AVIF, GIF, JPEG
from fcn_edge.io.images.opened import Opened
from fcn_edge.io.images.others import gif_without_background
from fcn_edge.io.opencv import cv2
from fcn_edge.io.video import quiet

__all__ = ["decoded"]


def decoded(file: Opened, flags: int, content: bytes | None = None) -> tuple[NDArray[Any], bool]:
    """The pixels of an image file, and whether its decoder found damage that it passed over.

    Args:
        file: The file.
        flags: OpenCV's ``IMREAD_`` flags.
        content: What is decoded in place of the file's own bytes.

    Raises:
        DatasetError: OpenCV cannot read it.
    """
    encoded = file.content if content is None else content
    if file.kind is GIF:
        encoded = gif_without_background(encoded)
    if file.kind is AVIF:
        # OpenCV turns by EXIF, which says nothing here, and not by what the file's boxes say
        flags |= cv2().IMREAD_IGNORE_ORIENTATION
    image, lines = _decoded(encoded, flags)
    if image is None:
        raise DatasetError(
            f"{file.path} is {file.kind.name} that OpenCV cannot read, or is cut off or damaged.", file.kind.fix
        )
    damaged = file.kind is JPEG and is_damage(lines, encoded) and is_damage(_decoded(encoded, flags)[1], encoded)
    return (_turned(image, file.facts.orientation) if file.kind is AVIF else image), damaged


def _turned(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A stored picture as EXIF's orientation shows it."""
    if orientation > 4:  # columns become rows
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _decoded(content: bytes, flags: int) -> tuple[NDArray[Any] | None, list[str]]:
    # decoded from memory, not imread, which does not take every file name
    with caught() as found, quiet():
        try:
            image = cv2().imdecode(np.frombuffer(content, np.uint8), flags)
        except cv2().error:
            image = None
    return cast("NDArray[Any] | None", image), found.lines
