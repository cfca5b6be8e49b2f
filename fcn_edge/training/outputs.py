"""Where a training writes, and what it finds there: everything is refused before the first epoch, and nothing after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fcn_edge.artifacts.spec import DECODER_STRIDES
from fcn_edge.errors import UsageError
from fcn_edge.io.outputs import check_new_folder, check_outputs
from fcn_edge.training.log import is_log
from fcn_edge.training.recipe import Recipe, Stage

__all__ = ["check_training_outputs", "log_path", "paths_of"]


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


def check_training_outputs(recipe: Recipe, output: Path, init: Sequence[Path], teachers: Sequence[Path]) -> None:
    """Find out whether all outputs can be written, and whether none takes the place of something else.

    Args:
        recipe: Its stages say which checkpoints there will be.
        output: Checkpoint of the last stage's finest decoder.
        init: Files of first weights.
        teachers: Checkpoints of the teachers.

    Raises:
        UsageError: The output is no ``.safetensors`` file; an output cannot be written, is an input too, or would take
            the place of a CSV file that is no log of a training.
        MachineError: The disk is full.
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors.", "Name the checkpoint such as net.safetensors.")
    if not output.absolute().parent.exists():
        check_new_folder(output.parent)
        return
    outputs: dict[str, Path] = {}
    for stage in recipe.stages:
        paths = paths_of(stage, output, last=stage is recipe.stages[-1])
        outputs |= {f"checkpoint of {name}": path for name, path in paths.items()}
    log = log_path(output)
    several = len(init) > 1
    reads = {"file of first weights" + f" {number}" * several: path for number, path in enumerate(init, 1)}
    reads |= {f"teacher {number}": path for number, path in enumerate(teachers, 1)}
    check_outputs({**outputs, "log": log}, reads)
    if log.is_file() and not is_log(log):
        raise UsageError(
            f"{log} is there and is no log of a training, which would be written in its place.",
            "Move it away, or give another output (-o).",
        )
