"""Which label file belongs to which image, in directories laid out by others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fcn_edge.datasets.listing import images_in
from fcn_edge.errors import DatasetError
from fcn_edge.io.names import numbered
from fcn_edge.io.outside import read_text

__all__ = ["Pair", "Pairing", "paired_files"]

HYPHENS = ("-", "--", "---")
"""What may stand between the parts of a name: ``a/b-c`` and ``a-b/c`` need two hyphens to stay apart."""

LONGEST_LIST = 64 << 20
"""Bytes; the names of a million images."""


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


@dataclass(frozen=True)
class Pairing:
    """Which files belong together.

    Attributes:
        pairs: Images with their label files, by name.
        unused: Label files that belong to no image, by path.
    """

    pairs: tuple[Pair, ...]
    unused: tuple[Path, ...]


def paired_files(
    images: Path, labels: Path, *, image_ending: str = "", label_ending: str = "", wanted: Path | None = None
) -> Pairing:
    """Images and label files of one stem, in two directories with the same sub-directories.

    Args:
        images: Directory of images.
        labels: Directory of label files.
        image_ending: What image stems end in besides the common part, such as ``_leftImg8bit``.
        label_ending: What label stems end in besides the common part, such as ``_L``; others are left out.
        wanted: Text file with a stem a line; only those are taken.

    Returns:
        The pairs, and the labels that no image wants. Names are the common stems where these differ; else
        sub-directories become part of them.

    Raises:
        DatasetError: A directory is missing, cannot be read or has no such files, an image has no labels, or two files
            share a stem.
    """
    image_files = _by_stem(images, image_ending)
    label_files = _by_stem(labels, label_ending)
    unused = tuple(path for stem, path in sorted(label_files.items()) if stem not in image_files)
    if wanted is not None:
        image_files = _only(image_files, wanted, images)
    missing = [stem for stem in image_files if stem not in label_files]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(image_files)} images in {images} have no labels in {labels}, the first is "
            f"{image_files[missing[0]].relative_to(images)}.",
            "Where stems differ, give --image-ending or --label-ending (such as _L); --list takes only some images.",
        )
    names = _names(list(image_files))
    pairs = tuple(Pair(names[stem], path, label_files[stem]) for stem, path in sorted(image_files.items()))
    return Pairing(pairs, unused)


def _names(stems: list[Path]) -> dict[Path, str]:
    """A name of each stem that no other has: its last part, or all parts with hyphens between them, or a number too."""
    ordered = sorted(stems)
    joined = [[hyphens.join(stem.parts) for stem in ordered] for hyphens in HYPHENS]
    ways = [[stem.name for stem in ordered], *joined]
    names = next((names for names in ways if len(set(names)) == len(names)), None) or numbered(joined[0])
    return dict(zip(ordered, names, strict=True))


def _by_stem(directory: Path, ending: str) -> dict[Path, Path]:
    """The image files below a directory by their path in it, without suffix and ending."""
    if not directory.is_dir():
        raise DatasetError(f"There is no directory {directory}.", "Check the path.")
    found: dict[Path, Path] = {}
    for path in images_in(directory, below=True):
        name = path.stem.removesuffix(ending)
        if not path.stem.endswith(ending) or not name:  # a file that is called as the ending alone belongs to no image
            continue
        stem = path.relative_to(directory).with_name(name)
        if stem in found:
            raise DatasetError(f"{found[stem]} and {path} share one stem.", "Rename or remove one of them.")
        found[stem] = path
    if not found:
        if ending:
            raise DatasetError(f"{directory} holds no files whose names end in {ending!r}.", "Check the ending.")
        raise DatasetError(f"{directory} holds no images.", "Give a directory of image files, such as PNG.")
    return found


def _only(files: dict[Path, Path], wanted: Path, directory: Path) -> dict[Path, Path]:
    text = read_text(wanted, DatasetError, "Give a text file with a name a line.", LONGEST_LIST)
    lines = [line.split() for line in text.splitlines()]
    by_name: dict[str, list[Path]] = {}
    for stem in files:
        by_name.setdefault(stem.name, []).append(stem)
    chosen = {}
    for words in lines:
        if not words:
            continue
        name = Path(words[0])
        stems = by_name.get(name.name) or by_name.get(name.stem)
        if not stems:
            raise DatasetError(f"{wanted} names {words[0]}, which is not in {directory}.", "Correct the list.")
        # a list's folders may be those of whoever made it, with ours at their end
        folders = name.parent.parts
        ends = [stem for stem in stems if folders[len(folders) - len(stem.parent.parts) :] == stem.parent.parts]
        stems = [max(ends, key=lambda stem: len(stem.parts))] if ends else stems
        if len(stems) > 1:
            raise DatasetError(
                f"{wanted} names {words[0]}, of which {directory} has several: {stems[0]}, {stems[1]}.",
                "Write the sub-directory before the name, too.",
            )
        chosen[stems[0]] = files[stems[0]]
    if not chosen:
        raise DatasetError(f"{wanted} names no image.", "Write one name a line.")
    return chosen
