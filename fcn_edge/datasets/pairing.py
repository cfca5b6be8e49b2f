"""Which label file belongs to which image, in directories laid out by others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.errors import DatasetError
from fcn_edge.io.files import opened_now
from fcn_edge.io.images import IMAGE_SUFFIXES
from fcn_edge.io.names import numbered

__all__ = ["Pair", "paired_files"]


@dataclass(frozen=True)
class Pair:
    """An image file and its label file.

    Attributes:
        name: What both are called in the new data set, without suffix.
        image: The image file.
        labels: The label file.
    """

    name: str
    image: Path
    labels: Path


def paired_files(
    images: Path, labels: Path, *, image_ending: str = "", label_ending: str = "", wanted: Path | None = None
) -> list[Pair]:
    """Images and label files of one stem, in two directories with the same sub-directories.

    Args:
        images: Directory of images.
        labels: Directory of label files.
        image_ending: What image stems end in besides the common part, such as ``_leftImg8bit``.
        label_ending: What label stems end in besides the common part, such as ``_L``; others are left out.
        wanted: Text file with a stem a line; only those are taken.

    Returns:
        By name. Names are the common stems where these differ; else sub-directories become part of them, and
        a number where two would still be alike.

    Raises:
        DatasetError: A directory is missing or has no such files, an image has no labels, or two files share a stem.
    """
    image_files = _by_stem(images, image_ending)
    label_files = _by_stem(labels, label_ending)
    if wanted is not None:
        image_files = _only(image_files, wanted, images)
    missing = [stem for stem in image_files if stem not in label_files]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(image_files)} images in {images} have no labels in {labels}, the first is "
            f"{image_files[missing[0]].name}.",
            "Where stems differ, give --image-ending or --label-ending (such as _L); --list takes only some images.",
        )
    stems = sorted(image_files)
    names = [stem.name for stem in stems]
    if len(set(names)) < len(names):
        # a/b-c and a-b/c would both be a-b-c
        names = numbered(["-".join(stem.parts) for stem in stems])
    return [Pair(name, image_files[stem], label_files[stem]) for name, stem in zip(names, stems, strict=True)]


def _by_stem(directory: Path, ending: str) -> dict[Path, Path]:
    """The image files below a directory by their path in it, without suffix and ending."""
    if not directory.is_dir():
        raise DatasetError(f"There is no directory {directory}.", "Check the path.")
    found: dict[Path, Path] = {}
    for path in _images_below(directory):
        if not path.stem.endswith(ending):
            continue
        stem = path.relative_to(directory).with_name(path.stem.removesuffix(ending))
        if stem in found:
            raise DatasetError(f"{found[stem]} and {path} share one stem.", "Rename or remove one of them.")
        found[stem] = path
    if not found:
        what = f"files whose names end in {ending!r}" if ending else "images"
        raise DatasetError(f"{directory} holds no {what}.", f"Images are {', '.join(sorted(IMAGE_SUFFIXES))}.")
    return found


def _images_below(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _only(files: dict[Path, Path], wanted: Path, directory: Path) -> dict[Path, Path]:
    try:
        with opened_now(wanted) as file:
            lines = [line.split() for line in file.read().decode("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{wanted} cannot be read as a list of names: {error}.", "Check the file.") from error
    by_name = {stem.name: stem for stem in files}
    chosen = {}
    for words in lines:
        if not words:
            continue
        name = Path(words[0])
        stem = by_name.get(name.name) or by_name.get(name.stem)
        if stem is None:
            raise DatasetError(f"{wanted} names {words[0]}, which is not in {directory}.", "Correct the list.")
        chosen[stem] = files[stem]
    if not chosen:
        raise DatasetError(f"{wanted} names no image.", "Write one name a line.")
    return chosen
