"""Write one small sample of every kind of document, as this fcn_edge writes it.

    python -m tests.artifacts.write_samples tests/artifacts/samples/schema2

Run it once, when a schema version is complete, and never again for that version: later readers are tested on what was
written then. ``schema1`` was written by fcn_edge 0.1.0 before documents said who wrote them.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from fcn_edge.artifacts.calibration_table import CalibrationTable, QuantizationChoice, write_table
from fcn_edge.artifacts.models import manifest_for, resolved_model, write_manifest
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.artifacts.spec import ModelSpec, Normalization, Provenance, Resize
from fcn_edge.builder import BuildRequest, build_engine
from fcn_edge.builder.typed_export import write_typed_onnx
from fcn_edge.datasets import split_of
from fcn_edge.datasets.calibration import calibration_set
from fcn_edge.datasets.calibration import write_manifest as write_image_manifest
from fcn_edge.evaluation.accuracy import evaluate
from fcn_edge.quantization.calibrate import calibration_table
from fcn_edge.runtime.segmenter import load
from fcn_edge.testing.engine import fake_spec

from ..levels_network import write_levels_network, write_levels_split


def main() -> None:
    """Write the samples into an empty directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    output: Path = parser.parse_args().output
    output.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as directory:
        write_samples(output, Path(directory))


def sample_spec() -> ModelSpec:
    """A spec with no default in it that a migration could get wrong unseen."""
    return fake_spec(
        name="yard",
        encoder="mobilenet_v2",
        decoder="fcn16s",
        stride=16,
        size=(96, 160),
        resize=Resize(policy="roi", roi=(0.25, 0.0, 1.0, 1.0)),
        normalization=Normalization(color_order="bgr", mean=(103.9, 116.8, 123.7), std=(1.0, 2.0, 3.0)),
        provenance=Provenance(
            checkpoint_sha256="a" * 64,
            trained_on=("yard train",),
            recipe=("fcn16s: 3 epochs",),
            tools={"torch": "2.13.0"},
        ),
    )


def write_samples(output: Path, scratch: Path) -> None:
    """Write a spec, a checkpoint's header, models, a table, manifests and an INT8 engine, 100 KB in all."""
    spec = sample_spec()
    (output / "spec.json").write_text(spec.to_json())
    weights = {"encoder.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
    save_file(weights, output / "checkpoint.safetensors", metadata={SPEC_KEY: spec.to_json()})

    levels = write_levels_network(output / "model.onnx")
    train = write_levels_split(scratch / "train", levels, 6, first=100)
    val = split_of(write_levels_split(scratch / "val", levels))
    images = calibration_set(train, levels.spec.classes, 6)
    write_image_manifest(output / "image-manifest.json", images)

    def table_of(path: Path) -> CalibrationTable:
        return calibration_table(resolved_model(path), images, threads=1)

    choices = {
        "onnxruntime": QuantizationChoice(
            method="mse", excluded_layers=("decoder.score8",), selected_on="levels val, 8 images"
        ),
        "tensorrt": QuantizationChoice(method="minmax"),
    }
    write_table(output / "table.json", table_of(levels.path).model_copy(update={"choices": choices}))
    request = BuildRequest(backend="onnxruntime", precision="int8", calibration=output / "table.json")
    write_typed_onnx(levels.path, request, output / "int8.onnx")
    with load(levels.path) as segmenter:
        record = AccuracyRecord.model_validate(evaluate(segmenter.session, val).to_json())
    write_manifest(
        output / "zoo-manifest.json", manifest_for(resolved_model(levels.path), {"levels val": record}, "Anything.")
    )

    loud = write_levels_network(scratch / "loud.onnx", loud=1000.0, name="loud")
    write_table(scratch / "loud.json", table_of(loud.path))
    request = BuildRequest(backend="onnxruntime", precision="int8", calibration=scratch / "loud.json", evaluation=val)
    build_engine(loud.path, request, output=scratch / "engine")
    shutil.copytree(scratch / "engine", output / "engine")


if __name__ == "__main__":
    main()
