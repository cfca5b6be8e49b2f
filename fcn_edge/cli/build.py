"""``fcn-edge build``: an engine directory for this machine."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.table import table
from fcn_edge.cli.verb import SIZE, note, say, verb

if TYPE_CHECKING:
    from fcn_edge.build import Build

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge build camvid-mobilenet_v2-fcn8s --size 512x1024")
@click.argument("model")
@click.option("--size", type=SIZE, help="Network size; the model's own when left out.")
@click.option("--backend", default="auto", show_default=True, help="What runs the network; auto: the fastest here.")
@click.option("--precision", default="fp32", show_default=True, type=click.Choice(["fp32"]), help="Of the engine.")
@click.option("--if-stale", is_flag=True, help="Build only if the engine there is not what this build would make.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The engine; engines/MODEL.BACKEND.PRECISION below the current directory when left out.",
)
@verb
def command(
    model: str, size: tuple[int, int] | None, backend: str, precision: str, if_stale: bool, output: Path | None
) -> dict[str, Any]:
    """Make an engine directory of MODEL for this machine.

    MODEL is a shipped name or an .onnx file. The engine is built, opened and timed on rendered frames of 1280x720
    before it takes its place, so that it is whole or absent. An engine that is there already is replaced; any other
    directory is left alone.
    """
    from fcn_edge.build import build_engine
    from fcn_edge.runtime.threads import owned_thread_pools

    with owned_thread_pools():
        built = build_engine(
            model, backend=backend, precision=precision, size=size, output=output, if_stale=if_stale, tell=note
        )
    _print(built)
    return {
        "engine": str(built.engine),
        "backend": built.manifest.backend,
        "precision": built.manifest.precision,
        "int8_share": None,
        "size": list(built.manifest.size),
        "build_seconds": built.manifest.build_seconds,
        "candidates": [dataclasses.asdict(candidate) for candidate in built.candidates],
        "up_to_date": built.up_to_date,
        "reason": built.reason,
    }


def _print(built: Build) -> None:
    manifest = built.manifest
    height, width = manifest.size
    if built.up_to_date:
        say(f"{built.engine} is up to date: {built.reason}.")
    else:
        because = f", built because {built.reason}" if built.reason else ""
        say(f"{built.engine}: {manifest.spec.name} at {height}x{width}{because}.")
        say()
        rows = [
            [f"{one.backend} {one.precision}", _milliseconds(one.end_to_end_ms), "yes" if one.kept else "", one.reason]
            for one in built.candidates
        ]
        say(table(["candidate", "ms a frame", "kept", "reason"], rows))
        say()
    say(f"Use it: fcn-edge run {shlex.quote(str(built.engine))} SOURCE")


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
