"""``fcn-edge build``: an engine directory for this machine."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from fcn_edge.cli.table import table
from fcn_edge.cli.verb import SIZE, note, say, verb
from fcn_edge.text import quoted

if TYPE_CHECKING:
    from fcn_edge.backends.base import Progress
    from fcn_edge.builder import Build, BuildRequest
    from fcn_edge.builder.typed_export import TypedExport

__all__ = ["command"]


@click.command(epilog="Example: fcn-edge build camvid-mobilenet_v2-fcn8s --size 512x1024")
@click.argument("model", required=False, metavar="MODEL")
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="Take the options for a kind of device, such as orin-nano, or of a .toml file, as far as they are not given "
    "here; '?' lists them.",
)
@click.option("--size", type=SIZE, help="Network size; the model's own when left out.")
@click.option(
    "--batch",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    metavar="N",
    help="Frames that the engine takes at once, for N sources on one CPU.",
)
@click.option("--backend", default="auto", show_default=True, help="What runs the network; auto: the fastest here.")
@click.option(
    "--device",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="GPU to build for, counted from 0 as CUDA does.",
)
@click.option(
    "--precision",
    default="fp32",
    show_default=True,
    type=click.Choice(["fp32", "fp16", "int8", "auto"]),
    help="Precision of the engine; auto: the fastest that holds the guard.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Table of fcn-edge calibrate, for INT8; shipped models bring their own.",
)
@click.option(
    "--eval",
    "data",
    metavar="DIR",
    help="Split to guard the accuracy on: images/ and labels/. Rendered scenes stand in when left out.",
)
@click.option(
    "--max-drop",
    type=float,
    default=0.01,
    show_default=True,
    help="mIoU, as a fraction of 1, that the engine may lose against fp32.",
)
@click.option("--max-class-drop", type=float, default=0.03, show_default=True, help="IoU that any one class may lose.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads of a CPU backend that candidates are timed with; one per core when left out.",
)
@click.option("--no-guard", is_flag=True, help="Keep the engine whatever it loses; written into engine.json.")
@click.option("--onnx-only", is_flag=True, help="Write the typed ONNX that the backend would compile, to -o FILE.onnx.")
@click.option("--if-stale", is_flag=True, help="Build only if the engine there is not what this build would make.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="The engine; engines/MODEL.BACKEND.PRECISION[.bN] below the current directory when left out.",
)
@verb
def command(
    model: str | None,
    recipe: str | None,
    data: str | None,
    device: int,
    calibration: Path | None,
    no_guard: bool,
    onnx_only: bool,
    if_stale: bool,
    output: Path | None,
    **settings: Any,  # those that a recipe may state, by the names of BuildRequest
) -> dict[str, Any]:
    """Make an engine directory of MODEL for this machine.

    MODEL is a shipped name or an .onnx file. Every candidate is built, judged against fp32 on the --eval images (where
    INT8 loses too much, one half of them is searched on, and the other half judges) or else on rendered scenes, and
    timed on rendered frames of 1280x720; the fastest that loses little enough is kept. An engine that is there already
    is replaced; any other directory is left alone.
    """
    from fcn_edge.builder import BuildRequest, build_engine, write_typed_onnx
    from fcn_edge.datasets import split_of
    from fcn_edge.system.thread_pools import owned_thread_pools

    if recipe == "?":
        return _recipes()
    if model is None:
        context = click.get_current_context()
        raise click.MissingParameter(ctx=context, param=context.command.params[0])
    if recipe is not None:
        settings |= _of_recipe(recipe)
    request = BuildRequest(
        **settings,
        calibration=calibration,
        evaluation=None if data is None else split_of(data),
        guard=not no_guard,
        device=device,
        recipe=recipe or "",
    )
    _note_idle_limits(data)
    if onnx_only:
        if output is None or if_stale or data is not None:
            _refuse_combination()
        with owned_thread_pools():
            return {**_onnx_result(write_typed_onnx(model, request, output)), "batch": request.batch, "recipe": recipe}
    with owned_thread_pools(), _build_bar() as progress:
        built = build_engine(model, request, output=output, if_stale=if_stale, tell=note, progress=progress)
    _print(built, request)
    for warning in built.warnings:
        note(f"Warning: {warning}")
    manifest = built.manifest
    return {
        "engine": str(built.engine),
        "backend": manifest.backend,
        "precision": manifest.precision,
        "int8_share": manifest.int8_share,
        "size": list(manifest.size),
        "batch": manifest.batch,
        "recipe": recipe,
        "build_seconds": manifest.build_seconds,
        "candidates": [dataclasses.asdict(candidate) for candidate in built.candidates],
        **(
            {"miou": manifest.accuracy.miou, "classes_present": manifest.accuracy.classes_present}
            if manifest.accuracy
            else {}
        ),
        "guard": manifest.guard,
        "warnings": list(built.warnings),
        "up_to_date": built.up_to_date,
        "reason": built.reason,
    }


def _recipes() -> dict[str, Any]:
    """Print the recipes that ship."""
    from fcn_edge.builder.recipe import read_recipe, shipped_recipes

    found = {name: read_recipe(name) for name in shipped_recipes()}
    width = max(map(len, found))
    for name, recipe in found.items():
        say(f"{name:<{width}}  {recipe.description}")
        say(f"{'':<{width}}  tested: {recipe.tested_on}")
    return {"recipes": [{"name": name, **recipe.model_dump(mode="json")} for name, recipe in found.items()]}


def _of_recipe(name: str) -> dict[str, Any]:
    """What a recipe states and the command line does not."""
    from fcn_edge.builder.recipe import read_recipe

    recipe, context = read_recipe(name), click.get_current_context()
    note(f"Recipe {name}: {recipe.description}; tested: {recipe.tested_on}.")
    for line in recipe.notes:
        note(f"Note: {line}")
    return {
        setting: value
        for setting, value in recipe.settings().items()
        if context.get_parameter_source(setting) is not ParameterSource.COMMANDLINE
    }


def _note_idle_limits(data: str | None) -> None:
    """Say that limits were given and there is nothing to compare with."""
    context = click.get_current_context()
    given = [
        option
        for option, name in (("--max-drop", "max_drop"), ("--max-class-drop", "max_class_drop"))
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given and data is None:
        note(f"Note: {' and '.join(given)} count only on the labeled images of --eval.")


def _refuse_combination() -> NoReturn:
    from fcn_edge.errors import UsageError

    raise UsageError(
        "--onnx-only writes one file and judges nothing: it needs -o FILE.onnx and takes no --eval and no --if-stale.",
        "For example: fcn-edge build MODEL --backend onnxruntime --precision int8 --onnx-only -o m.int8.onnx",
    )


def _onnx_result(export: TypedExport) -> dict[str, Any]:
    spec, share = export.spec, export.int8_share
    of_int8 = "" if share is None else f", {share:.0%} of the multiplications in INT8"
    say(f"{export.path}: {spec.name} in {spec.precision} for {export.backend}{of_int8}")
    return {
        "engine": str(export.path),
        "backend": export.backend,
        "precision": spec.precision,
        "int8_share": share,
        "size": list(spec.size),
        "build_seconds": None,
        "candidates": [],
    }


@contextmanager
def _build_bar() -> Iterator[Progress]:
    """A bar for backends whose builds take minutes; it shows only once one reports."""
    from tqdm import tqdm

    bars: dict[str, tqdm[Any]] = {}

    def moved(step: str, done: int, total: int) -> None:
        bar = bars.get("build")
        if bar is None:
            bar = bars["build"] = tqdm(desc="building", file=sys.stderr, disable=None, leave=False, dynamic_ncols=True)
        bar.total = total
        bar.set_postfix_str(step, refresh=False)
        bar.update(done - bar.n)

    try:
        yield moved
    finally:
        for bar in bars.values():
            bar.close()


def _print(built: Build, request: BuildRequest) -> None:
    manifest = built.manifest
    height, width = manifest.size
    if built.up_to_date:
        say(f"{built.engine} is up to date: {built.reason}.")
    else:
        because = f", built because {built.reason}" if built.reason else ""
        several = f", {manifest.batch} frames at once" if manifest.batch > 1 else ""
        say(f"{built.engine}: {manifest.spec.name} at {height}x{width}{several}{because}.")
        say()
        rows = [
            [
                f"{one.backend} {one.precision}",
                "-" if one.end_to_end_ms is None else f"{one.end_to_end_ms:.1f}",
                _percent(one.miou),
                _percent(one.int8_share),
                "yes" if one.kept else "no",
            ]
            for one in built.candidates
        ]
        over = manifest.accuracy.over if manifest.accuracy else ""  # all are judged on the same labels
        say(table(["candidate", "ms per frame", f"mIoU{over}", "INT8", "kept"], rows))
        say()
        for one in built.candidates:
            say(f"{one.backend} {one.precision}: {one.reason.rstrip('.')}.")
        if manifest.guard:
            say(f"Guard: {manifest.guard}.")
        groups = manifest.notes.get("excluded_groups")
        if isinstance(groups, list):
            say(f"In floating point: {', '.join(groups)}.")
    say(f"Use it: {_use(built, request)}")


def _use(built: Build, request: BuildRequest) -> str:
    """The command that runs an engine."""
    on_it = f" --device {request.device}" if request.device else ""
    on_cpu = built.manifest.device.kind == "cpu"  # a GPU's engine has no use for threads
    with_them = f" --threads {request.threads}" if request.threads and on_cpu else ""
    return f"fcn-edge run {quoted(built.engine)} SOURCE{on_it}{with_them}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
