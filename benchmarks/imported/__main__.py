"""A full-width FCN-8s of its authors' layout: export, calibration, engines; seconds, memory and agreement with FP32.

    python -m benchmarks.imported --camvid DIR --imagenet vgg16.npz [-o results/imported.json]

Each command runs in a process of its own, whose peak memory is the kernel's. Exit code 0: every INT8 engine agrees with
FP32 on 97% of the pixels of validation frames; 4: one does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

import fcn_edge
from benchmarks.imported.fitted import fitted_checkpoint
from benchmarks.machine import machine
from fcn_edge.datasets.plain_images import image_files, images_of

LEAST_AGREEMENT = 0.97
BACKENDS = ("onnxruntime", "openvino")


@click.command()
@click.option("--camvid", required=True, type=click.Path(path_type=Path, exists=True), help="Root with train and val.")
@click.option("--imagenet", required=True, type=click.Path(path_type=Path, exists=True), help="VGG-16's convolutions.")
@click.option("--images", type=click.IntRange(1), default=32, show_default=True, help="Calibration images.")
@click.option("--frames", type=click.IntRange(1), default=16, show_default=True, help="Frames to compare on.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the results as JSON.")
def main(camvid: Path, imagenet: Path, images: int, frames: int, output: Path | None) -> None:
    """Take the network through every command and compare its engines."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        checkpoint, model, table = work / "fcn8s.pth.tar", work / "fcn8s.onnx", work / "table.json"
        fitted_checkpoint(imagenet, camvid / "train", checkpoint)
        train, val = camvid / "train", camvid / "val"
        export = ("export", checkpoint, "-o", model, "--size", "360x480", "--classes", "camvid", "--images", val)
        steps = {"export": _step(*export)}
        steps["calibrate"] = _step("calibrate", model, "--images", train, "-n", images, "-o", table)
        fp32 = fcn_edge.evaluate(model, str(val))
        rows: dict[str, Any] = {"fp32": {"miou": fp32.scores.mean_iou}}
        for backend in BACKENDS:
            engine = work / backend
            options = ("--backend", backend, "--precision", "int8", "--calibration", table, "--no-guard")
            steps[f"build {backend}"] = _step("build", model, *options, "-o", engine)
            rows[f"{backend} int8"] = {"agreement": _agreement(model, engine, val, frames)}
        result = {
            "network": "FCN-8s of its authors' layout, VGG-16 with fc6 and fc7, 360x480, 11 classes",
            "machine": machine(None),
            "checkpoint_megabytes": round(checkpoint.stat().st_size / 1e6, 1),
            "steps": steps,
            "rows": rows,
        }
    text = json.dumps(result, indent=2)
    click.echo(text)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    if any(row.get("agreement", 1) < LEAST_AGREEMENT for row in rows.values()):
        sys.exit(4)


def _step(*arguments: object) -> dict[str, Any]:
    """One command in a process of its own: seconds, peak memory in megabytes, and what it says as JSON."""
    command = [sys.executable, "-m", "fcn_edge", *map(str, arguments), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    said = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: {said}")
    kept = ("max_abs_diff", "score_range", "label_agreement", "classes_in_masks", "bytes", "int8_share", "tensors")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_megabytes": round(usage.ru_maxrss / 1024),
        **{key: said[key] for key in kept if key in said},
    }


def _agreement(model: Path, engine: Path, val: Path, frames: int) -> float:
    """Share of the pixels of frames that two models give the same class."""
    same, count = 0, 0
    with fcn_edge.load(model) as one, fcn_edge.load(engine) as other:
        for frame in images_of(image_files(val, most=frames)):
            labels, others = one(frame).labels, other(frame).labels
            same, count = same + int(np.count_nonzero(labels == others)), count + labels.size
    return same / count


if __name__ == "__main__":
    main()
