"""``fcn-edge calibrate``: images through the float network, to the table that INT8 engines are built with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.progress import progress_bar
from fcn_edge.cli.verb import SIZE, note, say, verb

if TYPE_CHECKING:
    from fcn_edge.artifacts.calibration_table import CalibrationTable

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge calibrate net.onnx --images data/camvid/train -n 128 -o table.json")
@click.argument("model")
@click.option(
    "--images",
    "source",
    required=True,
    metavar="DIR|MANIFEST",
    help="A split, a folder of images, a manifest of chosen images, or 'synthetic://street'.",
)
@click.option("-n", "count", type=click.IntRange(min=1), default=128, show_default=True, help="Images to choose.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The table, .json."
)
@click.option("--size", type=SIZE, help="Network size; the model's own when left out. The table serves every size.")
@click.option("--root", type=click.Path(path_type=Path), help="Where a manifest's images lie; beside it when left out.")
@click.option(
    "--save-manifest", type=click.Path(path_type=Path), metavar="FILE", help="Write down which images were chosen."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of the choice among images that are as good."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads; 2 when left out, on every machine: the same number gives the same table, to the byte.",
)
@verb
def command(
    model: str,
    source: str,
    count: int,
    output: Path,
    size: tuple[int, int] | None,
    root: Path | None,
    save_manifest: Path | None,
    seed: int,
    threads: int | None,
) -> dict[str, Any]:
    """Calibrate MODEL on images: record what its activations are and where to clip them for INT8.

    MODEL is a shipped name or an fp32 .onnx file. From images with labels those are chosen that show every class; from
    others, such as differ in content. Images must be like those to come: random or even ones are refused. The table is
    bound to the model and its preprocessing, and engines built with it refuse to be scored on the same images.
    """
    from fcn_edge.artifacts.calibration_table import write_table
    from fcn_edge.artifacts.models import resolved_model
    from fcn_edge.artifacts.spec import checked_size
    from fcn_edge.datasets.calibration import calibration_set, write_manifest
    from fcn_edge.errors import ModelError, UsageError
    from fcn_edge.quantization.calibrate import calibration_table
    from fcn_edge.system.thread_pools import owned_thread_pools

    found = resolved_model(model)
    if found.kind == "engine":
        raise UsageError(f"{model} is an engine; fp32 models are calibrated.", "Give the ONNX file it was built from.")
    if found.spec.precision != "fp32":
        raise ModelError(
            f"{model} is an {found.spec.precision} graph; fp32 ones are calibrated.", "Give the fp32 file."
        )
    if size is not None:  # both are said before minutes of work
        checked_size(size, found.spec.geometry.size_multiple)
    _check_outputs(source, output, save_manifest)
    with owned_thread_pools():
        with progress_bar("choosing") as progress:
            images = calibration_set(source, found.spec.classes, count, seed, progress, root=root)
        for line in images.notes:
            note(f"Note: {line}")
        if save_manifest is not None:
            write_manifest(save_manifest, images)
        with progress_bar("calibrating") as progress:
            table = calibration_table(found, images, size=size, threads=threads, progress=progress)
    write_table(output, table)
    _print(model, output, table)
    return {
        "table": str(output),
        "images": len(table.images),
        "tensors": len(table.tensors),
        "missing_classes": list(table.missing_classes),
        "digest": table.digest,
        "model_digest": table.model_digest,
        "chosen": table.chosen,
        "rendered": table.rendered,
    }


def _check_outputs(source: str, output: Path, save_manifest: Path | None) -> None:
    """Refuse files that could not be written, or that one of the others would be lost to."""
    from fcn_edge.errors import UsageError
    from fcn_edge.io.files import check_writable, same_file

    taken = {"--images": Path(source)}
    for option, path in (("-o", output), ("--save-manifest", save_manifest)):
        if path is None:
            continue
        if path.suffix != ".json":
            raise UsageError(f"{path} does not end in .json.", "Name it such as table.json.")
        check_writable(path)
        for other, there in taken.items():
            if same_file(path, there):
                raise UsageError(f"{other} and {option} are one file, {path}.", "Give each a file of its own.")
        taken[option] = path


def _print(model: str, output: Path, table: CalibrationTable) -> None:
    say(f"{output}: {len(table.tensors)} tensors of {table.model} on {len(table.images)} images of {table.dataset}")
    say(f"Chosen: {table.chosen}")
    if table.missing_classes:
        say(f"No image shows: {', '.join(table.missing_classes)}")
    say(f"Next: fcn-edge build {shlex.quote(model)} --precision int8 --calibration {shlex.quote(str(output))}")
