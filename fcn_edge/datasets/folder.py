"""Folder data sets: ``images/`` and ``labels/`` with the same file stems, described by a ``dataset.toml``.

A *split* is a directory with ``images/`` and ``labels/``; its ``dataset.toml`` lies in it or in its parent. A *root*
is a directory of splits. Labels are single-channel 8-bit PNG files of class ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.info import DATASET_FILE, read_info
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import IMAGE_SUFFIXES, read_image, read_labels

__all__ = ["Sample", "Split", "files_in", "folder_splits", "split_directories", "strange_values"]


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
        strange = strange_values(np.bincount(labels.ravel(), minlength=256), self.classes, self.void)
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
                f"{self.image_path} is {image.shape[0]}x{image.shape[1]} and its labels are "
                f"{labels.shape[0]}x{labels.shape[1]} (height x width); they must be of one size.",
                "Resize the labels to the image with nearest-neighbor sampling.",
            )
        return image, labels


class Split(Sequence[Sample]):
    """The samples of one split, by file name.

    Args:
        directory: Holds ``images/`` and ``labels/``.

    Attributes:
        directory: As given.
        name: Name of the directory.
        info: The data set's ``dataset.toml``.
        rendered: False: these are files, whatever they show.

    Raises:
        DatasetError: No such split, no valid ``dataset.toml``, no images, or images without labels.
    """

    rendered = False

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.name = self.directory.absolute().name
        if not self.directory.is_dir():
            raise DatasetError(f"There is no data directory {self.directory}.", "Check the path.")
        images, labels = self.directory / "images", self.directory / "labels"
        if not (images.is_dir() and labels.is_dir()):
            found = ", ".join(split.name for split in split_directories(self.directory))
            raise DatasetError(
                f"{self.directory} is not a split: a split holds images/ and labels/.",
                f"Name one of its splits: {found}." if found else "Make one with fcn-edge data import.",
            )
        self.info = read_info(self.directory)
        by_stem = {path.stem: path for path in files_in(labels, {".png"})}
        files = files_in(images, IMAGE_SUFFIXES)
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


def folder_splits(root: Path) -> dict[str, Split]:
    """The splits of a root directory, or the one split itself, by name.

    Raises:
        DatasetError: There are none, or one is damaged.
    """
    directories = [root] if (root / "images").is_dir() else split_directories(root)
    if not directories:
        raise DatasetError(
            f"{root} holds no splits: sub-directories with images/ and labels/ were expected.",
            "Check the path, or make a split with fcn-edge data import.",
        )
    return {split.name: split for split in map(Split, directories)}


def files_in(directory: Path, suffixes: frozenset[str] | set[str]) -> list[Path]:
    """The files of a directory with one of the suffixes (lower case), by name; hidden ones are left out.

    Raises:
        DatasetError: The directory cannot be read.
    """
    found = _entries(directory, lambda path: path.suffix.lower() in suffixes)
    return [path for path in found if not path.name.startswith(".")]


def strange_values(counts: NDArray[np.intp], classes: int, void: int) -> list[int]:
    """The label values with a count that are neither a class nor void; ``counts`` is ``(256,)``."""
    return [int(value) for value in np.flatnonzero(counts) if value >= classes and value != void]


def split_directories(root: Path, *, complete: bool = True) -> list[Path]:
    """The sub-directories that are splits, by name.

    Args:
        root: Where to look.
        complete: Whether ``labels/`` must be there, besides ``images/``.

    Raises:
        DatasetError: There is no such directory, or it cannot be read.
    """
    if not root.is_dir():
        raise DatasetError(f"There is no data directory {root}.", "Check the path.")
    parts = ("images", "labels") if complete else ("images",)

    def is_split(path: Path) -> bool:
        # a name with a dot in front is that of an import that runs, or of one that was killed
        return not path.name.startswith(".") and all((path / part).is_dir() for part in parts)

    return _entries(root, is_split)


def _entries(directory: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if wanted(path))
    except OSError as error:
        raise DatasetError(f"{directory} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _no_twins(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        if path.stem in seen:
            raise DatasetError(
                f"{seen[path.stem].name} and {path.name} share one stem, so both would have the same labels.",
                "Rename or remove one of them.",
            )
        seen[path.stem] = path
