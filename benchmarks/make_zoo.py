"""Make the models that ship of trained checkpoints: export with FP16 weights, calibrate, measure, write the manifests.

    python benchmarks/make_zoo.py runs/camvid-mobilenet_v2-fcn8s.safetensors --data camvid

takes the checkpoint of the last stage and those of the coarser stages beside it, as ``fcn-edge train`` leaves them,
and the training log. The accuracies are what ``fcn-edge evaluate`` measures, on real images and on rendered ones. The
calibration table is made on the images of ``calibration/camvid-train-128.json``; how INT8 clips is chosen on other
train images, so that val only judges.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from fcn_edge.artifacts.calibration_table import CalibrationTable, write_table
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
from fcn_edge.datasets import Split
from fcn_edge.datasets.calibration import read_manifest
from fcn_edge.datasets.halves import Part
from fcn_edge.datasets.rendered import RenderedSplit
from fcn_edge.errors import GuardError
from fcn_edge.evaluation.accuracy import Accuracy, evaluate
from fcn_edge.export.onnx import onnx_from_checkpoint
from fcn_edge.quantization.calibrate import calibration_table
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.runtime.segmenter import load
from fcn_edge.system.thread_pools import owned_thread_pools

LICENSE = "Weights trained on CamVid (CC BY-NC 4.0): for research use."
RENDERED = "synthetic://street?seed=90001&frames=100&size=360x480"
"""A street that no training has seen: those have seeds below 64."""
CALIBRATION = Path(__file__).parent.parent / "calibration" / "camvid-train-128.json"
LIMITS = ((0.001, 0.005), (0.002, 0.010))
"""What INT8 may lose of mIoU and of any class on the train images that choose: far less than a build allows, since the
networks are surer of images that they were trained on than of others. The second pair is for profiles that cannot hold
the first: 7 bits have half the levels of 8."""


def main() -> None:
    """Export, measure and write every model of one training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="checkpoint of the last stage")
    parser.add_argument("--data", type=Path, required=True, help="root of the data set, with train/ and val/")
    arguments = parser.parse_args()
    checkpoint: Path = arguments.checkpoint
    coarser = sorted(checkpoint.parent.glob(f"{checkpoint.stem}.*.safetensors"))
    val = Split(arguments.data / "val")
    real_images = [sample.image() for sample in val[:8]]
    calibrated = read_manifest(CALIBRATION, arguments.data / "train")
    choosers = _held_out(Split(arguments.data / "train"), {image.name for image in calibrated.images})
    for path in (*coarser, checkpoint):
        partial = ZOO / f".{path.stem}.onnx"
        exported = onnx_from_checkpoint(path, partial, weights="fp16", images=real_images)
        directory = ZOO / exported.spec.name
        directory.mkdir(exist_ok=True)
        partial.replace(directory / MODEL_FILE)
        model = resolved_model(directory / MODEL_FILE)
        with owned_thread_pools(), load(model) as segmenter:
            measured = [evaluate(segmenter.session, split) for split in (val, RenderedSplit.from_uri(RENDERED))]
        records = {_key(accuracy): AccuracyRecord.model_validate(accuracy.to_json()) for accuracy in measured}
        write_manifest(directory / MANIFEST_FILE, manifest_for(model, records, LICENSE))
        with owned_thread_pools():
            table = calibration_table(model, calibrated)
            for profile in PROFILES:
                table = _with_choice(table, profile, model, choosers)
        write_table(directory / TABLE_FILE, table)
        for key, record in records.items():
            print(f"{exported.spec.name}  {key}: mIoU {100 * record.miou:.2f}%")
    shutil.copyfile(checkpoint.with_suffix(".csv"), ZOO / "training.csv")


def _with_choice(
    table: CalibrationTable,
    profile: str,
    model: Model,
    choosers: Part,
    limits: Sequence[tuple[float, float]] = LIMITS,
) -> CalibrationTable:
    """The table with the choice for a profile, by the first limits that it holds.

    Raises:
        GuardError: It holds none.
    """
    max_drop, max_class_drop = limits[0]
    try:
        return chosen_for_profiles(
            model, table, choosers, profiles=[profile], max_drop=max_drop, max_class_drop=max_class_drop, tell=print
        )
    except GuardError as error:
        if not limits[1:]:
            raise
        print(f"{profile} does not hold {100 * max_drop:.1f} and {100 * max_class_drop:.1f} points: {error.message}")
    return _with_choice(table, profile, model, choosers, limits[1:])


def _held_out(train: Split, calibrated: set[str]) -> Part:
    """Images of a split that no calibration has seen."""
    free = [number for number, sample in enumerate(train) if f"images/{sample.image_path.name}" not in calibrated]
    return Part(train, tuple(free))


def _key(accuracy: Accuracy) -> str:
    return f"{accuracy.dataset} {accuracy.split}"


if __name__ == "__main__":
    main()
