"""Networks whose file computes in float16, brought to float32: what is calibrated and built here begins there."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, numpy_helper

from fcn_edge.export.importers.onnx_parts import tensors_of

__all__ = ["half_bytes", "widen"]

_TYPES = ("to", "dtype")
"""Attributes that name the type of what a node gives."""


def half_bytes(model: ModelProto) -> int:
    """Bytes that the float16 tensors of a model take, and that it grows by in float32."""
    return sum(2 * math.prod(tensor.dims) for tensor in tensors_of(model) if tensor.data_type == TensorProto.FLOAT16)


def widen(model: ModelProto) -> bool:
    """Let a model compute in float32 where it does in float16, with the same weights, in place; whether it did.

    Args:
        model: A checked model with all weights inside.
    """
    changed = False
    for tensor in tensors_of(model):
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
            changed = True
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in _TYPES and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
                changed = True
    for value in _values(model):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
            changed = True
    return changed


def _values(model: ModelProto) -> Iterator[ValueInfoProto]:
    yield from model.graph.input
    yield from model.graph.value_info
    yield from model.graph.output
