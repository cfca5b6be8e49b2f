"""Safetensors files, of which the header is read."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.safetensors_header import safetensors_header
from fcn_edge.artifacts.weights.damage import DamagedError
from fcn_edge.artifacts.weights.elements import SIZES, read_elements
from fcn_edge.artifacts.weights.tensors import StoredTensor, Weights

__all__ = ["read_safetensors"]

_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""Types of numbers: https://huggingface.co/docs/safetensors/index#format."""


def read_safetensors(path: Path) -> Weights:
    """The tensors of a safetensors file and its metadata.

    Raises:
        DamagedError: It is damaged or cut off.
    """
    header = safetensors_header(path)
    if header is None:
        raise DamagedError("it is no safetensors file, or is cut off")
    tensors: dict[str, StoredTensor] = {}
    end = 0
    for name, entry in sorted(header.tensors.items(), key=lambda item: item[1].data_offsets):
        dtype = _TYPES.get(entry.dtype)
        if dtype is None:
            raise DamagedError(f"its tensor {shown(name)} is of the type {shown(entry.dtype)}, which is not known")
        first, last = entry.data_offsets
        if first < end or last - first != math.prod(entry.shape) * SIZES[dtype]:
            raise DamagedError(f"its tensor {shown(name)} is damaged")
        end = last
        load = partial(read_elements, path, dtype, entry.shape, at=header.data_start + first)
        tensors[name] = StoredTensor(entry.shape, dtype, load)
    in_order = {name: tensors[name] for name in header.tensors}
    return Weights(path, "safetensors", in_order, header.metadata, frozenset(), "")
