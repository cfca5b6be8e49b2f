"""The checkpoints that a training of several decoders leaves beside each other."""

from __future__ import annotations

from pathlib import Path

import click

from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.spec import DECODER_STRIDES

__all__ = ["checkpoints_of", "log_of"]


def checkpoints_of(finest: Path) -> dict[str, Path]:
    """Path of each decoder's checkpoint, coarsest first: ``net.safetensors``, and ``net.fcn32s.safetensors`` beside it.

    Args:
        finest: The checkpoint that the training was told to write.

    Raises:
        CheckpointError: A file is missing, damaged or without a spec.
    """
    beside = [path for name in DECODER_STRIDES if (path := finest.with_suffix(f".{name}.safetensors")).is_file()]
    found = {str(checkpoint_header(path).spec.decoder): path for path in (*beside, finest)}
    return {name: found[name] for name in DECODER_STRIDES if name in found}


def log_of(finest: Path) -> Path:
    """The log beside a checkpoint.

    Raises:
        click.UsageError: There is none.
    """
    log = finest.with_suffix(".csv")
    if not log.is_file():
        raise click.UsageError(f"There is no log {log} beside the checkpoint.")
    return log
