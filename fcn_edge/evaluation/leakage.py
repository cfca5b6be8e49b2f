"""No score on images that an INT8 network was calibrated on: it would flatter."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.engine_manifest import TABLE_FILE
from fcn_edge.artifacts.models import Model
from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.calibration import overlap
from fcn_edge.errors import DatasetError

__all__ = ["calibration_images", "refuse_calibration_images"]

NAMED = 5
"""Images that an error names."""


def calibration_images(model: Model) -> frozenset[str]:
    """SHA-256 of the images that a model was calibrated on; none of a float model.

    Args:
        model: An ONNX file, or an engine directory that was verified.

    Raises:
        ArtifactError: It is damaged.
    """
    if model.spec.precision != "int8":
        return frozenset()
    manifest = model.engine_manifest
    if manifest is not None:
        if TABLE_FILE in manifest.files:
            return read_table(model.path / TABLE_FILE).image_hashes
        return frozenset(manifest.calibration_images)
    record = model.quantization_record
    return frozenset() if record is None else frozenset(record.images)


def refuse_calibration_images(
    hashes: Collection[str], split: LabeledSplit, progress: Callable[[int, int], None] | None = None
) -> None:
    """Check that a network is not scored on images that it was calibrated on.

    Args:
        hashes: Hashes of the calibration images; without any, nothing of the split is read.
        split: What it is to be scored on.
        progress: Called with images compared and images in all.

    Raises:
        DatasetError: Some of the images are among those.
    """
    shared = overlap(hashes, split, progress)
    if shared:
        more = f" and {len(shared) - NAMED} more" if len(shared) > NAMED else ""
        raise DatasetError(
            f"{len(shared)} of the {len(split)} images of {split.info.name} {split.name} were used to calibrate, and a "
            f"score on them would flatter: {', '.join(shared[:NAMED])}{more}.",
            "Give other labeled images.",
        )
