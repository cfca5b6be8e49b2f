"""A chosen set of images, each bound to its content by a hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.calibration.hashes import file_sha256, pixel_sha256
from fcn_edge.datasets.rendered import sample_of_address
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import read_image

__all__ = ["CalibrationImage", "CalibrationSet"]


@dataclass(frozen=True)
class CalibrationImage:
    """One chosen image, read or drawn when it is asked for.

    Attributes:
        name: Path below the data set's directory with ``/``; of a rendered image its address.
        path: The image file; None for a rendered image.
        sha256: SHA-256 of the file's bytes; of a rendered image's shape and pixels.
        class_shares: Share of the image's pixels (0 to 1) by name of each class that occurs in it; None without labels.
    """

    name: str
    path: Path | None
    sha256: str
    class_shares: Mapping[str, float] | None

    def read(self) -> NDArray[np.uint8]:
        """The image, ``(H, W, 3)`` uint8 BGR.

        Raises:
            DatasetError: The file is missing, unreadable, or not the one that was chosen; or the scene is drawn
                differently here.
        """
        if self.path is not None:
            self.verify()
            return read_image(self.path)
        image = sample_of_address(self.name).image()
        if pixel_sha256(image) != self.sha256:
            raise DatasetError(
                f"{self.name} is drawn differently here: its pixels do not match their SHA-256.",
                "Another version of fcn_edge or OpenCV drew it; choose the images again.",
            )
        return image

    def verify(self) -> None:
        """Compare the image with its hash, a file without decoding it.

        Raises:
            DatasetError: As ``read``.
        """
        if self.path is None:
            self.read()
        elif file_sha256(self.path) != self.sha256:
            raise DatasetError(
                f"{self.path} is not the image that was chosen: its content does not match its SHA-256.",
                "Restore the file, or choose the images again.",
            )


@dataclass(frozen=True)
class CalibrationSet:
    """The images that a network is calibrated on.

    Attributes:
        name: Name of the data set or the folder.
        split: Name of the split; empty for a plain folder.
        images: Best first, so that the first few are a good smaller set.
        chosen: How they were chosen, in one sentence.
        classes: The data set's classes; None without labels, where it is unknown what the images show.
        missing_classes: The model's classes that no image shows; empty where nothing is known of them: without labels,
            or with labels of other classes alone.
        seed: Decided among images that are nearly as good.
        rendered: Whether the images are rendered scenes.
        notes: What the user should know, a sentence each.
    """

    name: str
    split: str
    images: tuple[CalibrationImage, ...]
    chosen: str
    classes: tuple[str, ...] | None
    missing_classes: tuple[str, ...]
    seed: int
    rendered: bool
    notes: tuple[str, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of each image, in their order."""
        return tuple(image.sha256 for image in self.images)
