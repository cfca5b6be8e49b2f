"""Whether judging the choices of the shipped tables depends on VNNI: the graphs here and on a processor without it.

    apt-get install qemu-user
    python benchmarks/check_choices.py [--size 480x640] [--images 1] [--data camvid/val] [-o results.json]

Each shipped model's graph of each profile, with the choice of its table, runs here and in an emulated processor that
has AVX2 and neither AVX-512 nor VNNI. ``unfused`` is how choices are made: node by node, Q/DQ around arithmetic in
float. If its scores are the same to the bit, so are masks, verdicts and choices. ``fused`` is how engines run; that it
differs in profiles with 8-bit weights shows that the emulated processor does what it is there for.

Exit code 0: unfused scores are the same to the bit; 4: they are not; 6: there is no emulator.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from machine import machine
from numpy.typing import NDArray
from typed_scores import WAYS, typed_scores

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.models import TABLE_FILE, ZOO, resolved_model, shipped_models
from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.cli.verb import SIZE
from fcn_edge.datasets import split_of
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.preprocess import network_input
from fcn_edge.quantization.profiles import PROFILES
from fcn_edge.quantization.typed_graph import int8_model
from fcn_edge.street import Street
from fcn_edge.system.thread_pools import owned_thread_pools

EMULATOR = "qemu-x86_64"
PROCESSOR = "Haswell"
"""Has AVX2 and FMA; the first with them."""
SEED = 90001


@click.command()
@click.option("--model", "models", multiple=True, help="A shipped model; all of them when left out.")
@click.option("--profile", "profiles", multiple=True, help="A profile; all of them when left out.")
@click.option("--size", type=SIZE, default="192x256", show_default=True, help="Network size.")
@click.option("--images", type=click.IntRange(1), default=2, show_default=True, help="How many images.")
@click.option("--data", help="Split to take them from, evenly spread; a rendered street when left out.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the results as JSON.")
def main(
    models: tuple[str, ...],
    profiles: tuple[str, ...],
    size: Size,
    images: int,
    data: str | None,
    output: Path | None,
) -> None:
    """Compare the scores of the tables' choices here and without VNNI."""
    if shutil.which(EMULATOR) is None:
        click.echo(f"{EMULATOR} is not installed. Fix: apt-get install qemu-user", err=True)
        sys.exit(6)
    result: dict[str, Any] = {"machine": machine(None), "emulated": PROCESSOR, "data": data, "size": list(size)}
    frames = images_of(data, images, size)
    result["images"] = len(frames)
    rows = result["models"] = {}
    with owned_thread_pools():
        for name in models or shipped_models():
            for profile in profiles or PROFILES:
                row = compared(name, profile, frames)
                rows.setdefault(name, {})[profile] = row
                click.echo(f"{name} {profile}: {in_words(row)}")
    if output is not None:
        output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    same = all(row["unfused"]["same_bits"] for model in rows.values() for row in model.values())
    click.echo("Judging does not depend on VNNI." if same else "Unfused scores differ: choices may depend on VNNI.")
    sys.exit(0 if same else 4)


def images_of(data: str | None, count: int, size: Size) -> NDArray[np.uint8]:
    """``(N, H, W, 3)`` uint8 BGR images of a size."""
    if data is None:
        street = Street(seed=SEED, size=size, frames=count, fps=1.0)
        return np.stack([image for image, _ in street])
    split = split_of(data)
    chosen = [split[number * len(split) // count] for number in range(count)]
    frames = [sample.image() for sample in chosen]
    places = [placement((frame.shape[0], frame.shape[1]), size, Resize()) for frame in frames]
    return np.stack([network_input(frame, place, (0, 0, 0)) for frame, place in zip(frames, places, strict=True)])


def compared(name: str, profile: str, images: NDArray[np.uint8]) -> dict[str, Any]:
    """What differs between this processor and the emulated one, by way of running."""
    table = read_table(ZOO / name / TABLE_FILE)
    choice = table.choices[profile]
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        typed = int8_model(
            resolved_model(name), PROFILES[profile], table, method=choice.method, excluded_layers=choice.excluded_layers
        )
        (directory / "typed.onnx").write_bytes(typed.model.SerializeToString())
        np.save(directory / "images.npy", images)
        script = Path(__file__).with_name("typed_scores.py")
        command = [EMULATOR, "-cpu", PROCESSOR, sys.executable, str(script), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise click.ClickException(f"the emulated run ended with {done.returncode}:\n{done.stderr}")
        there = np.load(directory / "scores.npz")
        here = typed_scores(directory, images)
    return {way: difference(here[f"typed/{way}"], there[f"typed/{way}"]) for way in WAYS}


def difference(here: NDArray[np.float32], there: NDArray[np.float32]) -> dict[str, Any]:
    """How much two arrays of ``(N, C, h, w)`` scores differ."""
    return {
        "same_bits": here.tobytes() == there.tobytes(),
        "largest": float(np.abs(here - there).max()),
        "labels": float(np.mean(here.argmax(1) != there.argmax(1))),
    }


def in_words(row: dict[str, Any]) -> str:
    """A row in a line."""
    texts = []
    for way, found in row.items():
        differs = f"scores up to {found['largest']:.3g} apart, {found['labels']:.2%} of the cells of another class"
        texts.append(f"{way} {'the same to the bit' if found['same_bits'] else differs}")
    return "; ".join(texts)


if __name__ == "__main__":
    main()
