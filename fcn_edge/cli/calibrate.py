"""``fcn-edge calibrate``: images through the float network, to the table that INT8 engines are built with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.progress import progress_bar
from fcn_edge.cli.verb import SIZE, note, say, verb
from fcn_edge.text import quoted

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
    others, such as differ in content. Images must be like those to come: random or even ones are refused. The way to
    clip that changes the masks least, on four of the images, is noted. The table is bound to the model and its
    preprocessing, and engines built with it refuse to be scored on the same images.
    """
    from fcn_edge.quantization.api import calibrate
    from fcn_edge.system.thread_pools import owned_thread_pools

    with (
        owned_thread_pools(),
        progress_bar("choosing") as choosing,
        progress_bar("calibrating") as progress,
        progress_bar("clipping", unit="graph") as clipping,
    ):
        table = calibrate(
            model,
            source,
            output,
            count=count,
            size=size,
            root=root,
            manifest=save_manifest,
            seed=seed,
            threads=threads,
            tell=lambda line: note(f"Note: {line}"),
            choosing=choosing,
            progress=progress,
            clipping=clipping,
        )
    _print(model, output, table)
    return {
        "table": str(output),
        "images": len(table.images),
        "tensors": len(table.tensors),
        "missing_classes": list(table.missing_classes),
        "digest": table.digest,
        "model_digest": table.model_digest,
        "chosen": table.chosen,
        "clipping": {profile: choice.method for profile, choice in table.choices.items()},
        "rendered": table.rendered,
    }


def _print(model: str, output: Path, table: CalibrationTable) -> None:
    say(f"{output}: {len(table.tensors)} tensors of {table.model} on {len(table.images)} images of {table.dataset}")
    say(f"Chosen: {table.chosen}")
    say(f"Clipped by: {_clipping(table)}")
    if table.missing_classes:
        say(f"No image shows: {', '.join(table.missing_classes)}")
    say(f"Next: fcn-edge build {quoted(model)} --precision int8 --calibration {quoted(output)}")


def _clipping(table: CalibrationTable) -> str:
    """The methods, each with the quantization profiles that it is best for."""
    profiles: dict[str, list[str]] = {}
    for profile, choice in table.choices.items():
        profiles.setdefault(choice.method, []).append(profile)
    return "; ".join(f"{method} ({', '.join(names)})" for method, names in profiles.items()) or "least squared error"
