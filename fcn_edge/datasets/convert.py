"""Foreign label files to a folder data set: color masks, other ids, merged classes."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fcn_edge.datasets.info import DATASET_FILE, DatasetInfo, read_info, toml_of_info
from fcn_edge.datasets.mapping import LabelMapping
from fcn_edge.datasets.pairing import Pair
from fcn_edge.datasets.sizes import Turned, size_error
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.io.files import replacing
from fcn_edge.io.folders import make_folder
from fcn_edge.io.images import read_ids, read_image, write_png
from fcn_edge.io.outputs import IMAGES, LABELS, check_new_folder
from fcn_edge.io.temporary import temporary_directory
from fcn_edge.text import listed

__all__ = ["ImportResult", "LabelConverter", "import_dataset", "import_splits"]

UNMAPPED = -1
SHOWN = 5

LOSSY = 8
"""Ids without a meaning in one file from which it may be a lossy copy: mappings that are not whole lack one or two."""

WHITE = 255


class LabelConverter:
    """Turns foreign label files into class ids.

    Args:
        mapping: What each source becomes.
        tolerance: A color that is no source takes the nearest source when no channel differs by more than this.
        unmapped: What becomes of the sources that are left: an error, or void.

    Attributes:
        voided: Pixels that became void because nothing was said of their source, by source as text.
    """

    def __init__(
        self, mapping: LabelMapping, *, tolerance: int = 0, unmapped: Literal["error", "void"] = "error"
    ) -> None:
        self.mapping, self.tolerance, self.unmapped = mapping, tolerance, unmapped
        self.voided: Counter[str] = Counter()
        self._table = np.full(1 << (24 if mapping.kind == "colors" else 16), UNMAPPED, np.int16)
        for source, target in mapping.targets.items():
            self._table[source] = target

    def labels(self, path: Path) -> NDArray[np.uint8]:
        """The class ids of a foreign label file, ``(H, W)`` uint8.

        Raises:
            DatasetError: It is unreadable, or holds a source that nothing is said of.
        """
        sources = _packed_pixels(read_image(path)) if self.mapping.kind == "colors" else read_ids(path)
        labels = self._table[sources]
        if (labels == UNMAPPED).any():
            values, counts = np.unique(sources[labels == UNMAPPED], return_counts=True)
            self._settle(path, values.astype(np.int64), counts)
            labels = self._table[sources]
            labels[labels == UNMAPPED] = self.mapping.info.void
        return labels.astype(np.uint8)

    def _settle(self, path: Path, values: NDArray[np.int64], counts: NDArray[np.intp]) -> None:
        """Give new sources their nearest neighbor's class; then complain of the rest, or count it as void."""
        if self.mapping.kind == "colors" and self.tolerance:
            known = np.array(sorted(self.mapping.targets), np.int64)
            for value in values:
                difference = _channels(known) - _channels(np.array([value]))
                near = np.abs(difference).max(axis=1) <= self.tolerance
                if near.any():
                    distance = np.where(near, (difference**2).sum(axis=1), np.iinfo(np.int64).max)
                    self._table[value] = self._table[known[int(distance.argmin())]]
        left = self._table[values] == UNMAPPED
        found = Counter({self._shown(int(value)): int(n) for value, n in zip(values[left], counts[left], strict=True)})
        if not found:
            return
        if self.unmapped == "error":
            unknown = listed([f"{source} ({pixels} pixels)" for source, pixels in found.most_common()], SHOWN)
            raise DatasetError(f"{path} holds {unknown}, of which the mapping says nothing.", self._fix(values[left]))
        self.voided += found

    def _fix(self, unknown: NDArray[np.int64]) -> str:
        if self.mapping.kind == "colors":
            return "Add them to the mapping; --tolerance takes the nearest color, --unmapped void ignores them."
        if len(unknown) < LOSSY:
            return "Add them to the mapping; --unmapped void ignores them."
        fix = (
            "Add only ids that the data set really has. Others come from copies that were saved as JPEG or resized "
            "with smoothing, and neither a longer mapping nor --unmapped void makes those right: take the original "
            "label files."
        )
        if len(self.mapping.targets) == 2:
            low, high = sorted(self.mapping.targets)
            tolerance = (high - low - 1) // 2
            near = np.minimum(np.abs(unknown - low), np.abs(unknown - high)) <= tolerance
            if high <= WHITE and near.all():
                fix += (
                    f" Masks of {low} and {high} come back whole with --colors FILE, where the two are "
                    f'"#{low:02x}{low:02x}{low:02x}" and "#{high:02x}{high:02x}{high:02x}", and --tolerance '
                    f"{tolerance}."
                )
        return fix

    def _shown(self, source: int) -> str:
        if self.mapping.kind == "ids":
            return f"the id {source}"
        return f"RGB ({source >> 16}, {source >> 8 & 255}, {source & 255})"


@dataclass(frozen=True)
class ImportResult:
    """What was imported.

    Attributes:
        split: The new split's directory.
        info: Its data set.
        images: How many images it has.
        shares: Share of each class among the labeled pixels.
        voided: Pixels that became void because the mapping says nothing of their source, by source.
        warning: What may be wrong with the pairs, a sentence; empty where nothing is.
    """

    split: Path
    info: DatasetInfo
    images: int
    shares: dict[str, float]
    voided: dict[str, int]
    warning: str = ""


def import_splits(
    parts: Mapping[str, Sequence[Pair]],
    converter: LabelConverter,
    output: Path,
    *,
    link: bool,
    progress: Callable[[int, int], None],
) -> list[ImportResult]:
    """Write several splits as ``import_dataset`` does; all are there in the end, or none.

    Args:
        parts: The pairs of each split, by its name.
        converter: Turns the label files into class ids.
        output: Root of the data set.
        link: Hard-link the images instead of copying them.
        progress: Called with pairs done and pairs in all.

    Raises:
        UsageError: A split is there already, its name is no directory name, or files cannot be written or linked.
        DatasetError: A file is unreadable or does not fit, or the root is a data set with other classes.
        MachineError: The disk is full.
    """
    for name in parts:
        _check_new_split(output, name)
    total, results = sum(map(len, parts.values())), list[ImportResult]()
    first, new = not (output / DATASET_FILE).exists(), not output.exists()
    for name, pairs in parts.items():
        before = sum(result.images for result in results)
        try:
            results.append(
                import_dataset(
                    pairs,
                    converter,
                    output,
                    split=name,
                    link=link,
                    progress=lambda done, _, before=before: progress(before + done, total),  # type: ignore[misc]
                )
            )
        except BaseException:
            for result in results:
                shutil.rmtree(result.split, ignore_errors=True)
            if results and first:
                (output / DATASET_FILE).unlink(missing_ok=True)
            if new:
                with suppress(OSError):
                    output.rmdir()
            raise
    return results


def import_dataset(
    pairs: Sequence[Pair],
    converter: LabelConverter,
    output: Path,
    *,
    split: str,
    link: bool,
    progress: Callable[[int, int], None],
) -> ImportResult:
    """Write a split; it is there as a whole or not at all.

    Args:
        pairs: Images and label files.
        converter: Turns the label files into class ids.
        output: Root of the data set; made where it does not exist.
        split: Name of the new split.
        link: Hard-link the images instead of copying them.
        progress: Called with pairs done and pairs in all.

    Raises:
        UsageError: The split is there already, its name is no directory name, or files cannot be written or linked.
        DatasetError: A file is unreadable or does not fit, or the root is a data set with other classes.
        MachineError: The disk is full.
    """
    info = _fitting_info(output, converter.mapping.info)
    _check_new_split(output, split)
    target = output / split
    check_new_folder(target)
    pixels, turned = np.zeros(256, np.int64), Turned()
    with _new_directory(target) as directory:
        for done, pair in enumerate(pairs, 1):
            pixels += _write_pair(pair, converter, directory, turned, link=link)
            progress(done, len(pairs))
        if not (output / DATASET_FILE).is_file():
            with replacing(output / DATASET_FILE) as temporary:
                temporary.write_text(toml_of_info(info), encoding="utf-8")
    counts = pixels[: len(info.classes)] / max(1, int(pixels[: len(info.classes)].sum()))
    shares = dict(zip(info.classes, counts.tolist(), strict=True))
    return ImportResult(
        target, info, len(pairs), shares, dict(converter.voided.most_common()), warning=turned.warning()
    )


def _check_new_split(output: Path, name: str) -> None:
    """Refuse names of splits that are none, and those of splits that are there.

    Raises:
        UsageError: It is one of these.
    """
    if not name or name.startswith(".") or "/" in name or "\0" in name:  # what begins with a dot is hidden
        raise UsageError(f"{name!r} is no name of a split.", "Name it such as train, val or test.")
    if (output / name).exists():
        raise UsageError(
            f"{output / name} is there already.", "Remove it, give another --split, or import into another directory."
        )


def _fitting_info(output: Path, info: DatasetInfo) -> DatasetInfo:
    if not (output / DATASET_FILE).is_file():
        return info
    there = read_info(output)
    if (there.classes, there.void) != (info.classes, info.void):
        raise DatasetError(
            f"{output} is a data set with other classes or another void: {listed(there.classes, 20)} ({there.void}).",
            "Import into another directory, or use the mapping that its other splits were made with.",
        )
    return there


@contextmanager
def _new_directory(target: Path) -> Iterator[Path]:
    """A temporary split that takes its name when the block ends well, and vanishes when it does not."""
    root = target.parent
    made = [directory for directory in (root, *root.parents) if not directory.exists()]
    try:
        make_folder(root)
        with temporary_directory(root) as workspace:
            temporary = workspace / target.name
            for part in (IMAGES, LABELS):
                (temporary / part).mkdir(parents=True)
            yield temporary
            temporary.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise UsageError(
                f"{target} is there by now: another import made it meanwhile, and it is left as it is.",
                "Remove it, or give another --split.",
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
            raise UsageError(
                f"{target} could not be written: {error.strerror}.", "Give a directory that is yours."
            ) from error
        raise
    finally:
        for directory in made:
            with suppress(OSError):
                directory.rmdir()  # fails where the import went well, because the split is in it


def _write_pair(
    pair: Pair, converter: LabelConverter, directory: Path, turned: Turned, *, link: bool
) -> NDArray[np.intp]:
    """Write one image and its labels; returns the pixels of each label value, ``(256,)``."""
    image, labels = read_image(pair.image), converter.labels(pair.labels)
    orientation = turned.add(pair.image, image.shape)
    if image.shape[:2] != labels.shape:
        raise size_error(pair.image, image.shape, pair.labels, labels.shape, orientation)
    copy = directory / IMAGES / f"{pair.name}{pair.image.suffix.lower()}"
    if link:
        _link(pair.image, copy)
    else:
        shutil.copyfile(pair.image, copy)
    write_png(directory / LABELS / f"{pair.name}.png", labels)
    return np.bincount(labels.ravel(), minlength=256)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        raise UsageError(
            f"{source} cannot be hard-linked to {target.parent}: {error.strerror}.", "Leave out --link to copy."
        ) from error


def _packed_pixels(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    """``(H, W)`` int32 ``0xRRGGBB`` of a ``(H, W, 3)`` uint8 BGR image."""
    blue, green, red = (image[:, :, channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _channels(colors: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(N, 3)`` red, green and blue of ``(N,)`` packed colors."""
    return np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1)
