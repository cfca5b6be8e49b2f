"""Plain folders of images, without labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.listing import images_in
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import read_image

__all__ = ["image_files", "images_of"]


def image_files(directory: Path, most: int = 32) -> list[Path]:
    """Image files of a folder, or of ``images/`` in it, spread evenly where there are more than ``most``.

    Raises:
        DatasetError: There is no such folder, or it holds no images.
    """
    if not directory.is_dir():
        raise DatasetError(f"There is no directory of images {directory}.", "Check the path.")
    inner = directory / "images"
    folder = inner if inner.is_dir() else directory
    files = images_in(folder)
    if not files:
        raise DatasetError(f"{folder} holds no images.", "Give a folder of JPEG or PNG files.")
    count = min(most, len(files))
    return [files[index * len(files) // count] for index in range(count)]


def images_of(files: Iterable[Path]) -> Iterator[NDArray[np.uint8]]:
    """The images of files, read one at a time, ``(H, W, 3)`` uint8 BGR.

    Raises:
        DatasetError: A file is no readable image.
    """
    return (read_image(path) for path in files)
