"""Folder data sets: ``images/`` and ``labels/`` with the same file stems, described by a ``dataset.toml``.

A *split* is a directory with ``images/`` and ``labels/``; its ``dataset.toml`` lies in it or in its parent. A *root*
is a directory of splits. Labels are single-channel 8-bit PNG files of class ids.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fcn_edge.errors import DatasetError
from fcn_edge.imagefile import read_image, read_labels
from fcn_edge.labels import generated_palette
from fcn_edge.spec import Byte, Colour, first_problem

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["DATASET_FILE", "DatasetInfo", "Sample", "Split", "splits_of"]

DATASET_FILE = "dataset.toml"
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


class DatasetInfo(BaseModel):
    """Content of ``dataset.toml``.

    Attributes:
        name: What the data set is called.
        classes: Class names by id.
        void: Label value to ignore.
        palette: One RGB colour a class; generated when left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=255)]
    void: Byte = 255
    palette: tuple[Colour, ...] = ()

    @model_validator(mode="after")
    def _parts_fit(self) -> DatasetInfo:
        if self.void < len(self.classes):
            raise ValueError(f"void ({self.void}) must lie outside the class ids 0..{len(self.classes) - 1}")
        if self.palette and len(self.palette) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes need {len(self.classes)} colours, not {len(self.palette)}")
        return self

    @property
    def colours(self) -> tuple[Colour, ...]:
        """The palette, generated where the file brings none."""
        return self.palette or generated_palette(len(self.classes))


@dataclass(frozen=True)
class Sample:
    """One image and its labels.

    Attributes:
        name: File stem that both share.
        image_path: The image file.
        label_path: The label file.
        classes: How many classes the labels may hold.
        void: Label value to ignore.
    """

    name: str
    image_path: Path
    label_path: Path
    classes: int
    void: int

    def image(self) -> NDArray[np.uint8]:
        """The image, ``(H, W, 3)`` uint8 BGR.

        Raises:
            DatasetError: The file is missing or no readable image.
        """
        return read_image(self.image_path)

    def labels(self) -> NDArray[np.uint8]:
        """The class ids, ``(H, W)`` uint8.

        Raises:
            DatasetError: The file is missing, no single-channel image, or holds values that are neither class nor void.
        """
        labels = read_labels(self.label_path)
        wrong = np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[self.classes :]) + self.classes
        strange = [int(value) for value in wrong if value != self.void]
        if strange:
            raise DatasetError(
                f"{self.label_path} holds the label {strange[0]}; 0 to {self.classes - 1} or void ({self.void}) was "
                "expected.",
                f"Correct {DATASET_FILE}, or convert the labels with fcn-edge data import.",
            )
        return labels

    def pair(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Image and labels, checked to be of one size.

        Raises:
            DatasetError: As ``image`` and ``labels``, or their sizes differ.
        """
        image, labels = self.image(), self.labels()
        if image.shape[:2] != labels.shape:
            raise DatasetError(
                f"{self.name}: the image is {image.shape[0]}x{image.shape[1]} and its labels are "
                f"{labels.shape[0]}x{labels.shape[1]} (height x width); they must be of one size.",
                "Resize the labels to the image with nearest-neighbour sampling.",
            )
        return image, labels


class Split(Sequence[Sample]):
    """The samples of one split, by file name.

    Args:
        directory: Holds ``images/`` and ``labels/``.

    Raises:
        DatasetError: No such split, no valid ``dataset.toml``, no images, or images without labels.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise DatasetError(f"There is no data directory {self.directory}.", "Check the path.")
        images, labels = self.directory / "images", self.directory / "labels"
        if not (images.is_dir() and labels.is_dir()):
            found = ", ".join(split.name for split in _split_directories(self.directory))
            raise DatasetError(
                f"{self.directory} is not a split: a split holds images/ and labels/.",
                f"Name one of its splits: {found}." if found else "See the README for the layout.",
            )
        self.info = _info_of(self.directory)
        by_stem = {path.stem: path for path in labels.iterdir() if path.suffix.lower() == ".png"}
        files = sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise DatasetError(f"{images} holds no images.", f"Images end in {', '.join(sorted(IMAGE_SUFFIXES))}.")
        _no_twins(files)
        missing = [path.name for path in files if path.stem not in by_stem]
        if missing:
            raise DatasetError(
                f"{len(missing)} of {len(files)} images in {images} have no labels, the first is {missing[0]}.",
                f"Every image needs a PNG of the same stem in {labels}.",
            )
        self._samples = [
            Sample(path.stem, path, by_stem[path.stem], len(self.info.classes), self.info.void) for path in files
        ]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: Any) -> Any:
        return self._samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)


def splits_of(root: str | Path) -> dict[str, Split]:
    """The splits of a root directory, or the one split itself, by name.

    Raises:
        DatasetError: There are none, or one is damaged.
    """
    root = Path(root)
    if (root / "images").is_dir():
        return {root.name: Split(root)}
    found = {directory.name: Split(directory) for directory in _split_directories(root)}
    if not found:
        raise DatasetError(
            f"{root} holds no splits: sub-directories with images/ and labels/ were expected.", "Check the path."
        )
    return found


def _split_directories(root: Path) -> list[Path]:
    if not root.is_dir():
        raise DatasetError(f"There is no data directory {root}.", "Check the path.")
    return sorted(path for path in root.iterdir() if (path / "images").is_dir() and (path / "labels").is_dir())


def _info_of(split: Path) -> DatasetInfo:
    for directory in (split, split.absolute().parent):
        path = directory / DATASET_FILE
        if path.is_file():
            try:
                return DatasetInfo.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise DatasetError(f"{path} is not valid TOML: {error}.", "Correct the file.") from error
            except ValidationError as error:
                raise DatasetError(f"{path} is not valid: {first_problem(error)}.", "Correct the file.") from error
    raise DatasetError(
        f"There is no {DATASET_FILE} in {split} or in its parent.",
        'Write one with the lines: name = "mine", classes = ["road", "sky"], void = 255.',
    )


def _no_twins(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        if path.stem in seen:
            raise DatasetError(
                f"{seen[path.stem].name} and {path.name} share one stem, so both would have the same labels.",
                "Rename or remove one of them.",
            )
        seen[path.stem] = path
