"""The images to choose from, looked at one after another; only what the choice needs is kept of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.calibration.checks import refuse_useless
from fcn_edge.datasets.calibration.hashes import file_sha256, pixel_sha256
from fcn_edge.datasets.calibration.sets import CalibrationImage
from fcn_edge.datasets.calibration.spread import content
from fcn_edge.datasets.folder import Split
from fcn_edge.datasets.listing import images_in
from fcn_edge.datasets.plain_images import where_images_are
from fcn_edge.datasets.rendered import RenderedSplit, is_rendered, rendered_splits
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import read_image

__all__ = ["Candidate", "Candidates", "candidates_of"]

SCENES_AN_IMAGE = 4
"""Rendered scenes that are drawn for each one that is chosen; an address may have a thousand million."""

DIGITS = 6
"""Decimal places of class shares, so that they stand in a manifest as they are."""


@dataclass(frozen=True)
class Candidate:
    """One image and what it looks like.

    Attributes:
        image: Its name, hash and class shares.
        content: ``(256,)`` uint8, see ``spread.content``.
    """

    image: CalibrationImage
    content: NDArray[np.uint8]


@dataclass(frozen=True)
class Candidates:
    """The images of a source.

    Attributes:
        name: Name of the data set or folder.
        split: Name of the split; empty for a folder.
        title: What the images are, for people.
        classes: The data set's classes; None without labels.
        rendered: Whether they are rendered scenes.
        total: How many there are.
        images: Looks at each when it is asked for it; to be gone through once. Raises DatasetError when one is damaged,
            tiny, of one color, or noise.
    """

    name: str
    split: str
    title: str
    classes: tuple[str, ...] | None
    rendered: bool
    total: int
    images: Iterator[Candidate]


def candidates_of(source: str | Path, count: int) -> Candidates:
    """The images of a split, a folder or an address of rendered scenes.

    Of an address those of its ``train`` streets, never those of the address itself, which is for scoring; and at most
    four times as many as are to be chosen.

    Args:
        source: Where they are.
        count: How many are to be chosen.

    Raises:
        DatasetError: There are none.
        UsageError: The address makes no sense.
    """
    if is_rendered(source):
        return _of_streets(str(source), count)
    root = Path(source)
    if not root.is_dir():
        raise DatasetError(
            f"There is no directory {root} to take images from.",
            "Give a split, a folder of images, a manifest (.json) or synthetic://street.",
        )
    if (root / "images").is_dir() and (root / "labels").is_dir():
        return _of_split(Split(root))
    return _of_folder(root)


def _of_folder(root: Path) -> Candidates:
    directory = root / "images" if (root / "images").is_dir() else root
    files = images_in(directory)
    if not files:
        raise DatasetError(f"{directory} holds no images.", where_images_are(root))

    def looked_at() -> Iterator[Candidate]:
        for path in files:
            image = read_image(path)
            refuse_useless(image, path)
            name = path.relative_to(root).as_posix()
            yield Candidate(CalibrationImage(name, path, file_sha256(path), None), content(image))

    name = root.resolve().name
    return Candidates(name, "", f"the folder {name}", None, False, len(files), looked_at())


def _of_split(split: Split) -> Candidates:
    info = split.info

    def looked_at() -> Iterator[Candidate]:
        for sample in split:
            image, labels = sample.pair()
            path = sample.image_path
            refuse_useless(image, path)
            name = path.relative_to(split.directory).as_posix()
            shares = _shares(labels, info.classes)
            yield Candidate(CalibrationImage(name, path, file_sha256(path), shares), content(image))

    title = f"{info.name} {split.name}"
    return Candidates(info.name, split.name, title, info.classes, False, len(split), looked_at())


def _of_streets(address: str, count: int) -> Candidates:
    split: RenderedSplit = rendered_splits(address)["train"]
    info, frames = split.info, min(len(split), SCENES_AN_IMAGE * count)

    def drawn() -> Iterator[Candidate]:
        for position in range(frames):
            sample = split[position * len(split) // frames]
            image, labels = sample.pair()
            shares = _shares(labels, info.classes)
            yield Candidate(CalibrationImage(sample.address, None, pixel_sha256(image), shares), content(image))

    title = f"the training streets of {address}"
    return Candidates(info.name, split.name, title, info.classes, True, frames, drawn())


def _shares(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> dict[str, float]:
    """Share of an image's pixels by name of each class that occurs in it."""
    counts = np.bincount(labels.ravel(), minlength=256)[: len(classes)]
    shares = {name: round(int(number) / labels.size, DIGITS) for name, number in zip(classes, counts, strict=True)}
    return {name: share for name, share in shares.items() if share}
