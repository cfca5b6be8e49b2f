"""Which network is in a file: ours, or one of the families that people have."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.network import TrainedNetwork
from fcn_edge.export.torch_network import own_network
from fcn_edge.nets.checkpoints import load_checkpoint

__all__ = ["trained_network"]


def trained_network(path: Path, options: ImportOptions) -> TrainedNetwork:
    """The trained network in a file.

    Args:
        path: A checkpoint.
        options: What is said of it.

    Raises:
        CheckpointError: The file is missing, damaged, or of no family that is known.
        UsageError: An option does not fit it.
    """
    return _own(path, options)


def _own(path: Path, options: ImportOptions) -> TrainedNetwork:
    net, spec = load_checkpoint(path)
    for argument, wanted, known in (
        ("arch", options.arch, (spec.arch, spec.encoder, spec.decoder)),
        ("decoder", options.decoder, (spec.decoder,)),
    ):
        if wanted is not None and wanted not in known:
            raise UsageError(
                f"{path} is {spec.arch}, not {wanted}.",
                f"Leave out {argument}: the checkpoint says what it is.",
            )
    for argument in ("mean", "std", "color_order", "output_name"):
        if getattr(options, argument) is not None:
            raise UsageError(f"{path} says itself what it was trained with.", f"Leave out {argument}.")
    return own_network(net, spec)
