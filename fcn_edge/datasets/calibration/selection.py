"""Which images of a source a network is calibrated on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fcn_edge.datasets.calibration.balanced import balanced
from fcn_edge.datasets.calibration.candidates import Candidate, Candidates, candidates_of
from fcn_edge.datasets.calibration.coverage import coverage_notes, missing_classes
from fcn_edge.datasets.calibration.manifest import read_manifest
from fcn_edge.datasets.calibration.sets import CalibrationSet
from fcn_edge.datasets.calibration.spread import spread
from fcn_edge.datasets.rendered import is_rendered
from fcn_edge.errors import UsageError

__all__ = ["calibration_set"]

FEW_IMAGES = 32
"""Images below which the ranges that a calibration measures hang on chance."""


def calibration_set(
    source: str | Path,
    spec_classes: Sequence[str],
    count: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    *,
    root: Path | None = None,
) -> CalibrationSet:
    """Choose the images to calibrate a network on.

    With labels the choice balances the classes, matched with the model's by name; without, it spreads over what the
    images look like. It depends on the images' content, ``count`` and ``seed``, not on their names or order. Every
    image of a source is looked at, one at a time, and about a kilobyte is kept of each.

    Args:
        source: A split (``images/``, ``labels/`` and ``dataset.toml``), a folder of images, a manifest (``.json``,
            which is taken from its beginning), or an address of rendered scenes, of which the streets of its ``train``
            split are taken, so that the address itself is left to score on.
        spec_classes: The model's classes.
        count: How many images to choose; all where there are fewer.
        seed: Decides among images that are nearly as good, and where to start.
        progress: Called with images looked at and images in all.
        root: The directory that a manifest's names start from; the manifest's own when left out.

    Raises:
        DatasetError: There are no images, or one is damaged, tiny, of one color, or noise; or the manifest is damaged
            or its images are not there unchanged.
        UsageError: ``count`` is less than 1, or the address makes no sense.
    """
    if count < 1:
        raise UsageError(f"{count} images were asked for; 1 or more were expected.", "128 are a good number.")
    if not is_rendered(source) and Path(source).suffix.lower() == ".json":
        return _of_manifest(read_manifest(Path(source), root, progress), spec_classes, count)
    candidates = candidates_of(source, count)
    found, duplicates = _distinct(candidates, progress)
    found.sort(key=lambda candidate: _place(seed, candidate))
    wanted = min(count, len(found))
    common = [name for name in candidates.classes or () if name in spec_classes]
    if common:
        shares = [[(candidate.image.class_shares or {}).get(name, 0.0) for name in common] for candidate in found]
        rows = balanced(np.array(shares, np.float64), wanted)
        how = "each next one adds most to the classes with the fewest pixels so far"
    else:
        rows = spread(np.stack([candidate.content for candidate in found]), wanted, seed)
        how = "each next one is drawn by how little it looks like those before"
    images = tuple(found[row].image for row in rows)
    many = f"All {len(found)}" if wanted == len(found) else f"{wanted} of {len(found)}"
    notes = [
        *_duplicate_notes(duplicates),
        *_number_notes(wanted, count),
        *coverage_notes(images, candidates.classes, spec_classes),
    ]
    return CalibrationSet(
        name=candidates.name,
        split=candidates.split,
        images=images,
        chosen=f"{many} images of {candidates.title}: {how} (seed {seed}).",
        classes=candidates.classes,
        missing_classes=missing_classes(images, candidates.classes, spec_classes),
        seed=seed,
        rendered=candidates.rendered,
        notes=tuple(notes),
    )


def _distinct(
    candidates: Candidates, progress: Callable[[int, int], None] | None
) -> tuple[list[Candidate], list[tuple[str, str]]]:
    """Each different image once, and the names of those that are there again."""
    by_hash: dict[str, Candidate] = {}
    duplicates = []
    for done, candidate in enumerate(candidates.images, 1):
        first = by_hash.setdefault(candidate.image.sha256, candidate)
        if first is not candidate:
            duplicates.append((candidate.image.name, first.image.name))
        if progress is not None:
            progress(done, candidates.total)
    return list(by_hash.values()), duplicates


def _place(seed: int, candidate: Candidate) -> bytes:
    """Where the seed puts an image, whatever it is called and wherever it lies."""
    return hashlib.sha256(f"{seed}:{candidate.image.sha256}".encode("ascii")).digest()


def _of_manifest(found: CalibrationSet, spec_classes: Sequence[str], count: int) -> CalibrationSet:
    images = found.images[:count]
    chosen = found.chosen if len(images) == len(found.images) else f"The first {count} of these: {found.chosen}"
    notes = [*_number_notes(len(images), count), *coverage_notes(images, found.classes, spec_classes)]
    missing = missing_classes(images, found.classes, spec_classes)
    return replace(found, images=images, chosen=chosen, missing_classes=missing, notes=tuple(notes))


def _duplicate_notes(duplicates: list[tuple[str, str]]) -> list[str]:
    if not duplicates:
        return []
    return [
        f"{len(duplicates)} images are there twice and count once; the first is {duplicates[0][0]}, "
        f"the same as {duplicates[0][1]}."
    ]


def _number_notes(images: int, asked: int) -> list[str]:
    notes = []
    if images < asked:
        notes.append(f"{asked} images were asked for and there are {images}; all are taken.")
    if images < FEW_IMAGES:
        notes.append(f"{images} images are few: {FEW_IMAGES} or more were expected.")
    return notes
