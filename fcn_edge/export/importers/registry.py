"""Which network is in a file: ours, or one of the families that people have."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.artifacts.file_kinds import checkpoint_format, no_network
from fcn_edge.errors import CheckpointError, needed_for
from fcn_edge.export.importers.base import ImportOptions
from fcn_edge.export.importers.onnx_scores import onnx_network
from fcn_edge.export.importers.recognized import SAVED_MODEL, recognized_file
from fcn_edge.export.network import TrainedNetwork

__all__ = ["trained_network"]

_START_BYTES = 512
_ONNX = b"\x08"
"""The version number that ONNX files begin with."""


def trained_network(path: Path, options: ImportOptions) -> TrainedNetwork:
    """The trained network in a file, which is told by its content.

    Args:
        path: A checkpoint, weights or an ONNX file. Of ONNX files, torch is not needed.
        options: What is said of it.

    Raises:
        CheckpointError: The file is missing, damaged, or of no family that is known.
        ModelError: The ONNX file is damaged, or gives no class scores of an image.
        UsageError: An option does not fit it, or something has to be said.
        MissingExtraError: It holds weights, and torch is not installed.
    """
    if path.is_dir():
        raise _not_a_file(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path.")
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if (other := no_network(path, CheckpointError)) is not None:
        raise other
    if (known := recognized_file(start, path.name)) is not None:
        raise known.error(path)
    # the length that safetensors begin with may be the same byte
    graph = path.suffix.lower() == ".onnx" or start.startswith(_ONNX)
    if graph and not checkpoint_format(path):
        return onnx_network(path, options)
    with needed_for("The export of a checkpoint"):
        from fcn_edge.export.importers.checkpoints import network_of_checkpoint

    return network_of_checkpoint(path, start, options)


def _not_a_file(folder: Path) -> CheckpointError:
    """What to say of a folder."""
    graph = folder / SAVED_MODEL
    known = recognized_file(b"", SAVED_MODEL) if graph.is_file() else None
    if known is not None:
        return known.error(graph)
    return CheckpointError(f"{folder} is a folder; a checkpoint or an ONNX file was expected.", "Give the file in it.")
