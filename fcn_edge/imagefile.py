"""Images and label maps on disk, read with OpenCV and checked."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import DatasetError
from fcn_edge.opencv import cv2

__all__ = ["read_image", "read_labels"]


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as ``(H, W, 3)`` uint8 BGR.

    Raises:
        DatasetError: The file is missing or no image that OpenCV can read.
    """
    return _read(path, cv2().IMREAD_COLOR)


def read_labels(path: Path) -> NDArray[np.uint8]:
    """A label file as ``(H, W)`` uint8 class ids.

    Raises:
        DatasetError: The file is missing, unreadable, or not single-channel 8-bit.
    """
    labels = _read(path, cv2().IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        shape = "x".join(str(side) for side in labels.shape)
        raise DatasetError(
            f"{path} is {shape} {labels.dtype}; labels are single-channel 8-bit PNG files of class ids.",
            "Convert colour masks with fcn-edge data import.",
        )
    return labels


def _read(path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error
    # imdecode on bytes, not imread: it takes every file name and prints nothing of its own
    image = cv2().imdecode(content, flags) if content.size else None
    if image is None:
        raise DatasetError(f"{path} is not an image that OpenCV can read, or is cut off.", "Replace the file.")
    return cast("NDArray[np.uint8]", image)
