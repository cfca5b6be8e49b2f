"""What INT8 gains and loses on this processor: the shipped models, and wider encoders for speed.

    python benchmarks/run_int8.py --data camvid/val [--wide net.onnx=table.json ...] [-o results.json]

Each shipped model is built with ``--precision int8 --backend auto``: every backend's engine and fp32 are timed in
turns, in one process, and judged on the labeled images. Models given with ``--wide`` are timed only, with
``--no-guard``; their weights need not be trained. The ``tensorrt`` profile's graphs run in ONNX Runtime, node by
node as they are written, for their accuracy.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import click
from machine import machine

from fcn_edge.artifacts.models import shipped_models
from fcn_edge.artifacts.onnx_header import spec_of_onnx
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.builder import BuildRequest, build_engine, write_typed_onnx
from fcn_edge.cli.verb import SIZE
from fcn_edge.datasets import LabeledSplit, split_of
from fcn_edge.evaluation.accuracy import Accuracy, evaluate
from fcn_edge.runtime.segmenter import load
from fcn_edge.system.thread_pools import owned_thread_pools


@click.command()
@click.option("--data", help="Split to judge on, with labels.")
@click.option("--size", type=SIZE, default="512x1024", show_default=True, help="Network size of the shipped models.")
@click.option("--wide", multiple=True, metavar="ONNX=TABLE", help="A model to time only, with its calibration table.")
@click.option("--wide-size", type=SIZE, default="384x480", show_default=True, help="Network size of those.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write the results, as JSON.")
def main(
    data: str | None, size: tuple[int, int], wide: tuple[str, ...], wide_size: tuple[int, int], output: Path | None
) -> None:
    """Build, judge and time INT8 engines."""
    before = machine(None)
    split = None if data is None else split_of(data)
    shipped, rows = {}, {}
    with owned_thread_pools(), tempfile.TemporaryDirectory() as directory:
        for name in shipped_models():
            row = int8_row(name, BuildRequest(precision="int8", size=size, evaluation=split), Path(directory) / name)
            if split is not None:
                row["own_size"] = own_size(name, split, Path(directory))
            shipped[name] = row
            click.echo(f"{name}: {summary(row)}")
        for pair in wide:
            path, _, table = pair.partition("=")
            request = BuildRequest(precision="int8", size=wide_size, calibration=Path(table), guard=False)
            rows[Path(path).stem] = int8_row(path, request, Path(directory) / Path(path).stem)
            click.echo(f"{path}: {summary(rows[Path(path).stem])}")
    result = {"machine": before, "data": data, "shipped": shipped, "wide": rows}
    if output is not None:
        output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def int8_row(model: str, request: BuildRequest, directory: Path) -> dict[str, Any]:
    """What a build considered, and how the kept engine compares with ONNX Runtime's fp32."""
    built = build_engine(model, request, output=directory)
    candidates = [dataclasses.asdict(candidate) for candidate in built.candidates]
    kept = next(one for one in candidates if one["kept"])
    fp32 = next(one for one in candidates if one["precision"] == "fp32")
    height, width = built.manifest.size
    return {
        "size": [height, width],
        "kept": f"{kept['backend']} {kept['precision']}",
        "int8_share": kept["int8_share"],
        "times_fp32": round(fp32["end_to_end_ms"] / kept["end_to_end_ms"], 3),
        "guard": built.manifest.guard,
        "candidates": candidates,
    }


def own_size(name: str, split: LabeledSplit, directory: Path) -> dict[str, Any]:
    """Accuracy at the model's own size: fp32, the kept INT8 engine, and the ``tensorrt`` profile in ONNX Runtime."""
    typed = directory / f"{name}.onnx"
    write_typed_onnx(name, BuildRequest(backend="tensorrt", precision="int8"), typed)
    built = build_engine(name, BuildRequest(precision="int8", evaluation=split), output=directory / f"{name}.own")
    found = {
        "fp32": accuracy_of(name, split),
        f"int8 {built.manifest.backend}": accuracy_of(str(built.engine), split),
        "int8 tensorrt profile": accuracy_as_written(typed, split),
    }
    return {
        key: {"miou": accuracy.scores.mean_iou, "per_class": accuracy.per_class} | losses(found["fp32"], accuracy)
        for key, accuracy in found.items()
    }


def losses(reference: Accuracy, accuracy: Accuracy) -> dict[str, Any]:
    """What is lost against the reference, in points."""
    classes = {
        name: 100 * ((accuracy.per_class[name] or 0) - before)
        for name, before in reference.per_class.items()
        if before is not None
    }
    worst = min(classes, key=classes.__getitem__)
    return {
        "points": 100 * (accuracy.scores.mean_iou - reference.scores.mean_iou),
        "worst_class": worst,
        "worst_points": classes[worst],
    }


def accuracy_of(model: str, split: LabeledSplit) -> Accuracy:
    """The accuracy of a model on a split, at its own size."""
    with load(model) as segmenter:
        return evaluate(segmenter.session, split)


def accuracy_as_written(path: Path, split: LabeledSplit) -> Accuracy:
    """The accuracy of a graph for another machine, computed node by node, at its own size."""
    spec = spec_of_onnx(path)
    with open_unfused(path, spec, spec.size) as engine, engine.session() as session:
        return evaluate(session, split)


def summary(row: dict[str, Any]) -> str:
    """A row in a line."""
    text = f"{row['kept']}, {row['times_fp32']} times as fast as fp32, INT8 share {row['int8_share']:.1%}"
    for key, value in row.get("own_size", {}).items():
        text += f"; {key} {100 * value['miou']:.2f}% ({value['points']:+.2f}, worst {value['worst_points']:+.2f})"
    return text


if __name__ == "__main__":
    main()
