"""Plain folders of images, without labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.folder import split_directories
from fcn_edge.datasets.listing import images_in
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import IMAGE_SUFFIXES, read_image
from fcn_edge.text import listed

__all__ = ["image_files", "images_of", "where_images_are"]

DEPTHS = ("*/*", "*/*/*", "*/*/*/*")
"""Where images are looked for that are not where somebody said."""

MOST_LOOKED_AT = 20_000
"""Files that are looked at for a hint."""


def image_files(directory: Path, most: int = 32) -> list[Path]:
    """Image files of a folder, or of ``images/`` in it, spread evenly where there are more than ``most``.

    Raises:
        DatasetError: There is no such folder, it cannot be read, or it holds no images.
    """
    if not directory.is_dir():
        raise DatasetError(f"There is no directory of images {directory}.", "Check the path.")
    inner = directory / "images"
    folder = inner if inner.is_dir() else directory
    files = images_in(folder)
    if not files:
        raise DatasetError(f"{folder} holds no images.", where_images_are(directory))
    count = min(most, len(files))
    return [files[index * len(files) // count] for index in range(count)]


def where_images_are(directory: Path) -> str:
    """What to give in the place of a directory that holds no images itself."""
    splits = [path.name for path in split_directories(directory)]
    if splits:
        return f"Name one of its splits: {listed(splits)}."
    below = (path for depth in DEPTHS for path in directory.glob(depth))
    inner = sorted({path.parent for path in islice(below, MOST_LOOKED_AT) if path.suffix.lower() in IMAGE_SUFFIXES})
    if inner:
        return f"Name the directory that holds the images: {listed(inner, 4)}."
    return "Give a folder of JPEG or PNG files."


def images_of(files: Iterable[Path]) -> Iterator[NDArray[np.uint8]]:
    """The images of files, read one at a time, ``(H, W, 3)`` uint8 BGR.

    Raises:
        DatasetError: A file is no readable image.
    """
    return (read_image(path) for path in files)
