"""What tells one image from another: SHA-256 of a file's bytes, or of a rendered image's pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.base import LabeledSample, LabeledSplit
from fcn_edge.datasets.folder import Sample
from fcn_edge.errors import DatasetError
from fcn_edge.io.files import sha256_of

__all__ = ["file_sha256", "overlap", "pixel_sha256"]


def file_sha256(path: Path) -> str:
    """The SHA-256 of an image file's bytes, in hexadecimal.

    Raises:
        DatasetError: The file is missing or unreadable.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def pixel_sha256(image: NDArray[np.uint8]) -> str:
    """The SHA-256 of an image's shape and ``(H, W, 3)`` uint8 pixels, in hexadecimal."""
    digest = hashlib.sha256("x".join(map(str, image.shape)).encode("ascii"))
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def overlap(
    hashes: Iterable[str], split: LabeledSplit, progress: Callable[[int, int], None] | None = None
) -> tuple[str, ...]:
    """The samples of a split whose images are among those hashed; a score on them would flatter.

    Files are compared by their bytes, so the same picture stored anew goes unseen. Rendered scenes are drawn for it.

    Args:
        hashes: As ``CalibrationSet.hashes``.
        split: What is to be scored.
        progress: Called with images done and images in all.

    Returns:
        Names of the samples, in the order of the split.

    Raises:
        DatasetError: An image file cannot be read.
    """
    known = frozenset(hashes)
    found = []
    for index in range(len(split) if known else 0):
        sample: LabeledSample = split[index]
        if _sha256(sample) in known:
            found.append(sample.name)
        if progress is not None:
            progress(index + 1, len(split))
    return tuple(found)


def _sha256(sample: LabeledSample) -> str:
    return file_sha256(sample.image_path) if isinstance(sample, Sample) else pixel_sha256(sample.image())
