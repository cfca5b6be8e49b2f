"""Is a folder data set whole and balanced? Every problem is found, not only the first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.datasets.folder import files_in, split_directories, strange_values
from fcn_edge.datasets.info import DatasetInfo, read_info
from fcn_edge.datasets.listing import found_in
from fcn_edge.datasets.sizes import Turned, size_error
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import read_image, read_labels
from fcn_edge.text import listed

__all__ = ["DatasetReport", "SplitReport", "check_dataset"]

RARE = 0.001
"""Share of the labeled pixels under which a class is called very rare."""

TRAIN = "train"
"""The split whose classes a network learns."""

MUCH_VOID = 0.5
"""Share of void pixels over which a split is said to be hardly labeled."""


@dataclass
class SplitReport:
    """What one split holds.

    Attributes:
        name: Name of its directory.
        info: Its ``dataset.toml``.
        images: Image files.
        sizes: How many images there are of each ``(height, width)``.
        pixels: ``(classes,)`` int64 pixels of each class.
        occurrences: ``(classes,)`` int64 images in which each class occurs.
        void: Pixels labeled void.
        digests: SHA-256 of each image file's bytes by its path.
    """

    name: str
    info: DatasetInfo
    images: int
    sizes: Counter[Size]
    pixels: NDArray[np.int64]
    occurrences: NDArray[np.int64]
    void: int = 0
    digests: dict[Path, str] = field(default_factory=dict)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class among the labeled pixels, ``(classes,)``; 0 where nothing is labeled."""
        return np.asarray(self.pixels / max(1, int(self.pixels.sum())), np.float64)

    @property
    def void_share(self) -> float:
        """Share of void among all pixels; 0 where there are none."""
        return self.void / max(1, self.void + int(self.pixels.sum()))

    def to_json(self) -> dict[str, Any]:
        """The split as plain values."""
        return {
            "images": self.images,
            "sizes": {f"{height}x{width}": count for (height, width), count in self.sizes.most_common()},
            "shares": dict(zip(self.info.classes, self.shares.tolist(), strict=True)),
            "images_with": dict(zip(self.info.classes, self.occurrences.tolist(), strict=True)),
            "void": self.void_share,
        }


@dataclass
class DatasetReport:
    """What a data set holds and what is wrong with it.

    Attributes:
        path: Root or split.
        splits: In the order of their names.
        problems: What must be fixed, a sentence each.
        warnings: What may be meant so, a sentence each.
    """

    path: Path
    splits: list[SplitReport]
    problems: list[str]
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        info = self.splits[0].info
        return {
            "path": str(self.path),
            "name": info.name,
            "classes": list(info.classes),
            "splits": {split.name: split.to_json() for split in self.splits},
            "problems": self.problems,
            "warnings": self.warnings,
        }


def check_dataset(path: Path, progress: Callable[[int, int], None]) -> DatasetReport:
    """Read every file of a split, or of all splits of a root.

    Args:
        path: Root or split.
        progress: Called with images read and images in all.

    Raises:
        DatasetError: There is no split at all, or a ``dataset.toml`` is missing or not valid.
    """
    report = DatasetReport(path, [], [], [])
    directories = [path] if (path / "images").is_dir() else split_directories(path, complete=False)
    if not directories:
        raise DatasetError(
            f"{path} holds no splits: sub-directories with images/ and labels/ were expected.",
            "Check the path, or make a split with fcn-edge data import.",
        )
    scans = [_Scan(directory, report) for directory in directories]
    total, done = sum(len(scan.pairs) for scan in scans), 0
    for scan in scans:
        for image, labels in scan.pairs:
            scan.look_at(image, labels)
            done += 1
            progress(done, total)
        scan.warn()
    _compare_splits(report)
    return report


class _Scan:
    """Reads one split and adds what it finds to the report."""

    def __init__(self, directory: Path, report: DatasetReport) -> None:
        self.report = report
        info = read_info(directory)
        found = found_in(directory / "images")
        images = sorted([*found.files, *found.absent])
        self.left_out = found.note(directory / "images")
        self.turned = Turned()
        labels: dict[str, Path] = {}
        if (directory / "labels").is_dir():
            labels = {path.stem: path for path in files_in(directory / "labels", {".png"})}
        else:
            report.problems.append(f"{directory} has no labels/.")
        if not images:
            report.problems.append(f"{directory / 'images'} holds no images.")
        self.pairs = [(path, labels.get(path.stem)) for path in images]
        self._compare_stems(directory, images, set(labels))
        classes = len(info.classes)
        name = directory.absolute().name
        self.split = SplitReport(
            name, info, len(images), Counter(), np.zeros(classes, np.int64), np.zeros(classes, np.int64)
        )
        report.splits.append(self.split)

    def _compare_stems(self, directory: Path, images: list[Path], labels: set[str]) -> None:
        stems = Counter(path.stem for path in images)
        for stem, count in stems.items():
            if count > 1:
                names = listed([path.name for path in images if path.stem == stem])
                self.report.problems.append(f"{directory / 'images'}: {names} share one stem and so their labels.")
        unused = sorted(labels - set(stems))
        if unused:
            self.report.warnings.append(
                f"{len(unused)} label files in {directory / 'labels'} have no image, the first is {unused[0]}.png."
            )

    def look_at(self, image_path: Path, label_path: Path | None) -> None:
        """Check one image and its labels."""
        problems, split = self.report.problems, self.split
        size = labels = None
        orientation = 1
        try:
            image = read_image(image_path)
            size = (image.shape[0], image.shape[1])
            orientation = self.turned.add(image_path, size)
            split.sizes[size] += 1
            split.digests[image_path] = hashlib.sha256(image_path.read_bytes()).hexdigest()
        except DatasetError as error:
            problems.append(error.message)
        if label_path is None:
            problems.append(f"{image_path} has no labels: {image_path.stem}.png was expected in labels/.")
            return
        try:
            labels = read_labels(label_path)
        except DatasetError as error:
            problems.append(error.message)
            return
        if size is not None and size != labels.shape:
            problems.append(size_error(image_path, size, label_path, labels.shape, orientation).message)
        self._count(label_path, np.bincount(labels.ravel(), minlength=256))

    def _count(self, label_path: Path, counts: NDArray[np.intp]) -> None:
        info, split = self.split.info, self.split
        classes = len(info.classes)
        strange = strange_values(counts, classes, info.void)
        if strange:
            values = ", ".join(f"{value} ({counts[value]} pixels)" for value in strange[:8])
            more = f" and {len(strange) - 8} other values" if len(strange) > 8 else ""
            self.report.problems.append(
                f"{label_path} holds {values}{more}; 0 to {classes - 1} or void ({info.void}) was expected."
            )
        split.pixels += counts[:classes]
        split.occurrences += counts[:classes] > 0
        split.void += int(counts[info.void])
        if not counts[:classes].any():
            self.report.warnings.append(f"{label_path} has no labeled pixel.")

    def warn(self) -> None:
        """Add what is unbalanced in the split, and what cannot be learned from it."""
        split, warnings = self.split, self.report.warnings
        warnings += filter(None, (self.left_out, self.turned.warning()))
        absent = [name for name, pixels in zip(split.info.classes, split.pixels, strict=True) if not pixels]
        if absent and split.name == TRAIN and (split.void or split.pixels.any()):
            self.report.problems.append(
                f"{split.name}: no pixel of {listed(absent)}, which cannot be learned; {split.void_share:.0%} of the "
                f"pixels are void ({split.info.void}). Label some, or leave the class out of the data set; where "
                f"{split.info.void} was painted for it, import the labels anew with --map."
            )
        elif absent and split.void and not split.pixels.any():
            self.report.problems.append(
                f"{split.name}: every pixel is void ({split.info.void}), so that nothing can be scored on it. Label "
                "some, or remove the split."
            )
        elif absent:
            warnings.append(f"{split.name}: no pixel of {listed(absent)}.")
        for name, share, images in zip(split.info.classes, split.shares, split.occurrences, strict=True):
            if 0 < share < RARE:
                warnings.append(
                    f"{split.name}: {name} is very rare, {share:.3%} of the labeled pixels in {images} of "
                    f"{split.images} images."
                )
        if split.void_share > MUCH_VOID:
            warnings.append(f"{split.name}: {split.void_share:.0%} of the pixels are void.")


def _compare_splits(report: DatasetReport) -> None:
    first = report.splits[0]
    for split in report.splits[1:]:
        if (split.info.classes, split.info.void) != (first.info.classes, first.info.void):
            report.problems.append(f"{split.name} and {first.name} have different classes; one dataset.toml is enough.")
    places: dict[str, list[tuple[str, Path]]] = {}
    for split in report.splits:
        for path, digest in split.digests.items():
            places.setdefault(digest, []).append((split.name, path))
    for same in places.values():
        if len(same) == 1:
            continue
        names = " and ".join(str(path) for _, path in same) if len(same) == 2 else listed([path for _, path in same])
        if len({split for split, _ in same}) > 1:
            report.problems.append(f"{names} are the same image in different splits, so scores would flatter.")
        else:
            report.warnings.append(f"{names} are the same image.")
