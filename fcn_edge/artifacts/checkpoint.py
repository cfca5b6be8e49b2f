"""Checkpoint files without torch: the spec and the table of tensors in the header of a safetensors file."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.file_kinds import checkpoint_format, no_network, to_be_exported
from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.safetensors_header import safetensors_header
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import CheckpointError

__all__ = ["CheckpointHeader", "checkpoint_header"]


@dataclass(frozen=True)
class CheckpointHeader:
    """What the header of a checkpoint says.

    Attributes:
        spec: What the network is.
        tensors: How many tensors it has.
        parameters: How many numbers they hold.
        types: How many tensors there are of each element type, such as ``F32``.
    """

    spec: ModelSpec
    tensors: int
    parameters: int
    types: dict[str, int]


def checkpoint_header(path: Path) -> CheckpointHeader:
    """The header of a checkpoint that ``fcn-edge train`` wrote; the tensors are not read.

    Raises:
        CheckpointError: The file is missing, damaged, cut off, or has no spec.
        SpecError: Its spec is not valid.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path.")
    try:
        header = safetensors_header(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if header is None:
        other = no_network(path, CheckpointError)
        if other is None and checkpoint_format(path) not in ("safetensors", ""):
            other = to_be_exported(path, "a checkpoint", CheckpointError)
        raise other or CheckpointError(
            f"{path} is not a safetensors file, or is cut off.", "Copy or download it again."
        )
    metadata, tensors = header.metadata, header.tensors
    if SPEC_KEY not in metadata:
        raise to_be_exported(path, "a checkpoint of another program", CheckpointError)
    return CheckpointHeader(
        spec=ModelSpec.from_json(metadata[SPEC_KEY]),
        tensors=len(tensors),
        parameters=sum(math.prod(tensor.shape) for tensor in tensors.values()),
        types=dict(Counter(tensor.dtype for tensor in tensors.values()).most_common()),
    )
