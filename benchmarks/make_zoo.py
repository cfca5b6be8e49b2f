"""Make the models that ship of trained checkpoints: export with FP16 weights, calibrate, measure, write the manifests.

    python -m benchmarks.make_zoo runs/camvid-mobilenet_v2-fcn8s.safetensors --data camvid

takes the checkpoint of the finest decoder and those of the coarser ones beside it, as ``fcn-edge train`` leaves them,
and the training log. The accuracies are what ``fcn-edge evaluate`` measures, on real images and on rendered ones. The
calibration table is made on the images of ``calibration/camvid-train-128.json``; how INT8 clips is chosen on other
train images, so that val only judges.

To choose takes more than an hour on two cores. What is done lies in ``zoo/`` of the runs' directory
(``FCN_EDGE_RUNS``), step by step, and the same command goes on there, with the same inputs and version of fcn_edge;
``fcn_edge/zoo`` gets the models when all of them are whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.nets.checkpoints import checkpoints_of, log_of
from fcn_edge.artifacts.calibration_table import CalibrationTable, read_table, write_table
from fcn_edge.artifacts.models import (
    MANIFEST_FILE,
    MODEL_FILE,
    TABLE_FILE,
    ZOO,
    Model,
    manifest_for,
    resolved_model,
    write_manifest,
)
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.builder.profile_tuning import chosen_for_profiles
from fcn_edge.datasets import LabeledSplit, Split
from fcn_edge.datasets.calibration import CalibrationSet, read_manifest
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.datasets.halves import Part
from fcn_edge.datasets.rendered import RenderedSplit
from fcn_edge.errors import GuardError
from fcn_edge.evaluation.accuracy import Accuracy, evaluate
from fcn_edge.export.onnx import onnx_from_checkpoint
from fcn_edge.io.files import copy_file, sha256_of
from fcn_edge.io.runs import runs_directory
from fcn_edge.quantization.calibrate import calibration_table
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.runtime.segmenter import load
from fcn_edge.system.thread_pools import owned_thread_pools
from fcn_edge.version import __version__

LICENSE = "Weights trained on CamVid (CC BY-NC 4.0): for research use."
RENDERED = "synthetic://street?seed=90001&frames=100&size=360x480"
"""A street that no training has seen: those have seeds below 64."""
CALIBRATION = Path(__file__).parent.parent / "calibration" / "camvid-train-128.json"
LIMITS = ((0.001, 0.005), (0.002, 0.010))
"""What INT8 may lose of mIoU and of any class on the train images that choose: far less than a build allows, since the
networks are surer of images that they were trained on than of others. The second pair is for profiles that cannot hold
the first: 7 bits have half the levels of 8."""
LOG_FILE = "training.csv"

Folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(help=(__doc__ or "").splitlines()[0])
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", type=Folder, required=True, help="Root of the data set, with train/ and val/.")
@click.option(
    "--calibration", type=click.Path(exists=True, path_type=Path), default=CALIBRATION, help="Images to calibrate on."
)
@click.option("--rendered", default=RENDERED, help="Street that is scored as well.")
@click.option("-o", "--output", type=Folder, default=ZOO, help="Where the models go.")
def main(checkpoint: Path, data: Path, calibration: Path, rendered: str, output: Path) -> None:
    """Export, measure and write every model of one training."""
    val, train = Split(data / "val"), Split(data / "train")
    calibrated = read_manifest(calibration, data / "train")
    choosers = _held_out(train, {image.name for image in calibrated.images})
    log, made = log_of(checkpoint), list[Model]()
    inputs = [sha256_of(calibration), fingerprint_of(train), fingerprint_of(val), rendered, LIMITS, __version__]
    with owned_thread_pools():
        for path in checkpoints_of(checkpoint).values():
            identity = hashlib.sha256(json.dumps([sha256_of(path), *inputs]).encode()).hexdigest()
            folder = runs_directory() / "zoo" / identity
            folder.mkdir(parents=True, exist_ok=True)
            model = _exported(path, folder, val)
            _measured(model, (val, RenderedSplit.from_uri(rendered)))
            _quantized(model, calibrated, choosers)
            made.append(model)
    for model in made:
        directory = output / model.spec.name
        directory.mkdir(exist_ok=True)
        for name in (MODEL_FILE, TABLE_FILE, MANIFEST_FILE):
            copy_file(model.path.with_name(name), directory / name)
    copy_file(log, output / LOG_FILE)
    for model in made:
        shutil.rmtree(model.path.parent)


def _exported(checkpoint: Path, folder: Path, val: Split) -> Model:
    path = folder / MODEL_FILE
    if path.is_file():
        click.echo(f"going on in {folder}")
    else:
        onnx_from_checkpoint(checkpoint, path, weights="fp16", images=[sample.image() for sample in val[:8]])
    return resolved_model(path)


def _measured(model: Model, splits: Sequence[LabeledSplit]) -> None:
    """Write the manifest."""
    path = model.path.with_name(MANIFEST_FILE)
    if path.is_file():
        return
    with load(model) as segmenter:
        measured = [evaluate(segmenter.session, split) for split in splits]
    records = {_key(accuracy): AccuracyRecord.model_validate(accuracy.to_json()) for accuracy in measured}
    write_manifest(path, manifest_for(model, records, LICENSE))
    for key, record in records.items():
        click.echo(f"{model.spec.name}  {key}: mIoU {100 * record.miou:.2f}%")


def _quantized(model: Model, calibrated: CalibrationSet, choosers: Part) -> None:
    """Write the calibration table, and again with the choice for each profile that it lacks."""
    path = model.path.with_name(TABLE_FILE)
    if not path.is_file():
        write_table(path, calibration_table(model, calibrated))
    table = read_table(path)
    for profile in PROFILES:
        if profile not in table.choices:
            table = _with_choice(table, profile, model, choosers, LIMITS)
            write_table(path, table)


def _with_choice(
    table: CalibrationTable,
    profile: str,
    model: Model,
    choosers: Part,
    limits: Sequence[tuple[float, float]],
) -> CalibrationTable:
    """The table with the choice for a profile, by the first limits that it holds.

    Raises:
        GuardError: It holds none.
    """
    max_drop, max_class_drop = limits[0]
    try:
        return chosen_for_profiles(
            model,
            table,
            choosers,
            profiles=[profile],
            max_drop=max_drop,
            max_class_drop=max_class_drop,
            tell=click.echo,
        )
    except GuardError as error:
        if not limits[1:]:
            raise
        lost = f"{100 * max_drop:.1f} points of mIoU or {100 * max_class_drop:.1f} of a class"
        click.echo(f"{profile} loses more than {lost}: {error.message}")
    return _with_choice(table, profile, model, choosers, limits[1:])


def _held_out(train: Split, calibrated: set[str]) -> Part:
    """Images of a split that no calibration has seen."""
    free = [number for number, sample in enumerate(train) if f"images/{sample.image_path.name}" not in calibrated]
    return Part(train, tuple(free))


def _key(accuracy: Accuracy) -> str:
    return f"{accuracy.dataset} {accuracy.split}"


if __name__ == "__main__":
    main()
