"""Where a training writes, and what it finds there: everything is refused before the first epoch, and nothing after."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.errors import UsageError
from fcn_edge.io.files import check_writable, same_file, write_errors
from fcn_edge.training.log import is_log
from fcn_edge.training.recipe import Recipe, Stage

__all__ = ["check_outputs", "log_path", "paths_of"]


def log_path(output: Path) -> Path:
    """The log beside a checkpoint."""
    return output.with_suffix(".csv")


def paths_of(stage: Stage, output: Path, *, last: bool) -> dict[str, Path]:
    """Where the checkpoint of each decoder of a stage goes: the last stage's finest to ``output``, others beside it."""
    finest = min(stage.decoders, key=DECODER_STRIDES.__getitem__)
    return {
        name: output if last and name == finest else output.with_suffix(f".{name}.safetensors")
        for name in stage.decoders
    }


def check_outputs(recipe: Recipe, output: Path, inputs: Iterable[Path]) -> None:
    """Find out whether all outputs can be written, and whether none takes the place of something else.

    Args:
        recipe: Its stages say which checkpoints there will be.
        output: Checkpoint of the last stage's finest decoder.
        inputs: Files that the training reads.

    Raises:
        UsageError: The output is no ``.safetensors`` file; an output cannot be written, is an input too, or would take
            the place of a CSV file that is no log of a training.
        MachineError: The disk is full.
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors.", "Name the checkpoint such as net.safetensors.")
    given_files = tuple(inputs)
    ends = [*((stage, False) for stage in recipe.stages[:-1]), (recipe.stages[-1], True)]
    paths = [path for stage, last in ends for path in paths_of(stage, output, last=last).values()]
    for path in paths:
        for given in given_files:
            if same_file(path, given):
                raise UsageError(
                    f"{given} is an input of this training, and would be replaced by its checkpoint {path.name}.",
                    "Give another output (-o).",
                )
    log = log_path(output)
    if log.is_file() and not is_log(log):
        raise UsageError(
            f"{log} is there and is no log of a training, which would be written in its place.",
            "Move it away, or give another output (-o).",
        )
    for path in (*paths, log):
        _require_writable(path)


def _require_writable(path: Path) -> None:
    """As ``check_writable``; where the directory is still to be made, it is the one above that must be writable."""
    there = next(directory for directory in path.absolute().parents if directory.exists())
    if there == path.absolute().parent or not there.is_dir():
        check_writable(path)
        return
    with write_errors(path), tempfile.TemporaryFile(dir=there):
        pass
