"""Checkpoint files without torch: the spec and the table of tensors in the header of a safetensors file.

Format: https://huggingface.co/docs/safetensors/index#format: eight bytes with the length of the header, least
significant first, the header as JSON, then the tensors' bytes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import CheckpointError

__all__ = ["CheckpointHeader", "checkpoint_header"]

_METADATA = "__metadata__"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 16 << 20

Natural = Annotated[int, Field(ge=0)]


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


class _Tensor(BaseModel):
    dtype: str
    shape: tuple[Natural, ...]
    data_offsets: tuple[Natural, Natural]


_TENSORS = TypeAdapter(dict[str, _Tensor])
_TEXTS = TypeAdapter(dict[str, str])


def checkpoint_header(path: Path) -> CheckpointHeader:
    """The header of a checkpoint that ``fcn-edge train`` wrote; the tensors are not read.

    Raises:
        CheckpointError: The file is missing, damaged, cut off, or has no spec.
        SpecError: Its spec is not valid.
    """
    damaged = CheckpointError(
        f"{path} is not a safetensors file, or is cut off.", "Checkpoints are what fcn-edge train writes."
    )
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.", "Check the path.")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if length > _LONGEST_HEADER:
                raise damaged
            header = json.loads(file.read(length).decode("utf-8"))
        if not isinstance(header, dict):
            raise damaged
        metadata = _TEXTS.validate_python(header.pop(_METADATA, {}))
        tensors = _TENSORS.validate_python(header)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    except (ValueError, ValidationError, RecursionError) as error:
        raise damaged from error
    end = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if path.stat().st_size != _LENGTH_BYTES + length + end:
        raise damaged
    if SPEC_KEY not in metadata:
        raise CheckpointError(
            f"{path} holds tensors and no fcn_edge spec.", "Checkpoints are what fcn-edge train writes."
        )
    return CheckpointHeader(
        spec=ModelSpec.from_json(metadata[SPEC_KEY]),
        tensors=len(tensors),
        parameters=sum(math.prod(tensor.shape) for tensor in tensors.values()),
        types=dict(Counter(tensor.dtype for tensor in tensors.values()).most_common()),
    )
