"""The calibration table of a build: the one that was given, or the one that a shipped model brings."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.build.request import Request
from fcn_edge.calibrationtable import CalibrationTable, read_table
from fcn_edge.datasets import LabelledSplit
from fcn_edge.datasets.calibration import overlap
from fcn_edge.errors import DatasetError, TableError
from fcn_edge.modelfile import model_digest
from fcn_edge.models import Model, table_path

__all__ = ["refuse_calibration_images", "table_for"]


def table_for(model: Model, request: Request) -> CalibrationTable | None:
    """The calibration table of a model, checked against it; None where there is none and none is needed.

    Raises:
        TableError: INT8 was asked for and there is no table; or the table is damaged, or another model's.
        DatasetError: The images to guard with are among those of the calibration.
    """
    if request.precision in ("fp32", "fp16") and request.calibration is None and model.shipped is None:
        return None
    if model.spec.precision != "fp32":
        return None
    path: Path | None = request.calibration or table_path(model)
    if path is None:
        if request.precision == "int8":
            raise TableError(
                f"INT8 needs a calibration table, and {model.path} has none.",
                f"Make one: fcn-edge calibrate {model.path} --images DIR -o table.json; then --calibration table.json",
            )
        return None
    table = read_table(path)
    table.require_for(path, model_digest(model.path), model.spec)
    return table


def refuse_calibration_images(hashes: frozenset[str], split: LabelledSplit | None) -> None:
    """Check that a network is not scored on images that it was calibrated on.

    Args:
        hashes: Of the calibration images.
        split: What it is to be scored on; None for nothing.

    Raises:
        DatasetError: Some of the images are among those.
    """
    shared = overlap(hashes, split) if split is not None else ()
    if split is not None and shared:
        raise DatasetError(
            f"{len(shared)} of the {len(split)} images of {split.info.name} {split.name} were used to calibrate, such as "
            f"{shared[0]}: a score on them would flatter.",
            "Give other labelled images.",
        )
