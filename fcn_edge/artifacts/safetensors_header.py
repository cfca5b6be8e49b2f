"""The header of a safetensors file: its metadata, and where its tensors lie.

Format: https://huggingface.co/docs/safetensors/index#format: eight bytes with the length of the header, least
significant first, the header as JSON, then the tensors' bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from fcn_edge.io.outside import json_of

__all__ = ["SafetensorsHeader", "TensorEntry", "begins_safetensors", "safetensors_header"]

_METADATA = "__metadata__"
_LENGTH_BYTES = 8
_LONGEST_HEADER = 16 << 20

_MOST_DIMENSIONS = 32

Natural = Annotated[int, Field(ge=0, lt=1 << 63)]


class TensorEntry(BaseModel):
    """One tensor of the header.

    Attributes:
        dtype: Type of its elements, such as ``F32``.
        shape: Its dimensions.
        data_offsets: Its first byte and its end, counted from the end of the header.
    """

    dtype: str
    shape: Annotated[tuple[Natural, ...], Field(max_length=_MOST_DIMENSIONS)]
    data_offsets: tuple[Natural, Natural]


@dataclass(frozen=True)
class SafetensorsHeader:
    """What the header says.

    Attributes:
        metadata: Texts by key.
        tensors: Tensors by key.
        data_start: Bytes of the file before the tensors' bytes.
    """

    metadata: dict[str, str]
    tensors: dict[str, TensorEntry]
    data_start: int


_TENSORS = TypeAdapter(dict[str, TensorEntry])
_TEXTS = TypeAdapter(dict[str, str])


def begins_safetensors(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a safetensors file.

    To be asked before other formats are told by their first bytes: those of a safetensors file are the length of its
    header, and may be any. A header of 0x1080 bytes begins as a pickle does, one of 0x4b50 as a zip archive.

    Args:
        start: Nine bytes or more; of fewer it is False.
    """
    return start[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and not any(start[4:_LENGTH_BYTES])


def safetensors_header(path: Path) -> SafetensorsHeader | None:
    """The header of a file; None where it is no safetensors file, or one that was cut off.

    Raises:
        OSError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if length > _LONGEST_HEADER:
                return None
            header = json_of(file.read(length))
        if not isinstance(header, dict):
            return None
        metadata = _TEXTS.validate_python(header.pop(_METADATA, {}))
        tensors = _TENSORS.validate_python(header)
    except (ValueError, ValidationError):
        return None
    if not all(_is_held(tensor) for tensor in tensors.values()):
        return None
    end = max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if path.stat().st_size != _LENGTH_BYTES + length + end:
        return None
    return SafetensorsHeader(metadata, tensors, _LENGTH_BYTES + length)


def _is_held(tensor: TensorEntry) -> bool:
    """Whether as many numbers as the shape says could lie there, whatever their type: each has a bit at least."""
    first, end = tensor.data_offsets
    return math.prod(tensor.shape) <= 8 * max(end - first, 0)
