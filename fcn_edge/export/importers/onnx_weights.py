"""Weights of other programs' ONNX files: checked, and read into the model where they are kept beside it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from fcn_edge.artifacts.file_kinds import no_network
from fcn_edge.artifacts.names import shown
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_parts import tensors_of
from fcn_edge.text import listed

__all__ = ["AGAIN", "MOST_BYTES", "refuse_diverged", "take_weights_in"]

MOST_BYTES = (1 << 31) - 1
"""Of a file with its weights: protobuf's own limit."""

AGAIN = "Export it again from the library that trained it, as plain ONNX in float32."

MOST_DIGITS = 15
"""Of a place in a file: more than any file has bytes."""

_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization"})
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE})

_BYTES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.UINT8: 1,
    TensorProto.INT8: 1,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
    TensorProto.BOOL: 1,
    TensorProto.DOUBLE: 8,
    TensorProto.FLOAT16: 2,
}


def take_weights_in(path: Path, model: ModelProto) -> None:
    """Read the weights that are kept beside a file, as PyTorch's exporter keeps them, into its model.

    Args:
        path: The file.
        model: Its content; changed in place.

    Raises:
        ModelError: A tensor is of no type that is taken, or the file that keeps it is missing, elsewhere, too short or
            too large.
    """
    total = model.ByteSize()
    for tensor in tensors_of(model):
        wanted = _wanted_bytes(path, tensor)
        if tensor.data_location == TensorProto.EXTERNAL:
            total += wanted
            if total > MOST_BYTES:
                raise ModelError(f"{path} has weights of more than 2 GiB.", "Give a smaller network.")
            values = _kept_beside(path, tensor, wanted)
            del tensor.external_data[:]
            tensor.ClearField("data_location")
            tensor.raw_data = values


def refuse_diverged(path: Path, model: ModelProto) -> None:
    """Refuse weights that are NaN or infinite; bounds and fillings that are infinite are none.

    Args:
        path: The file.
        model: Its content, with all weights inside.

    Raises:
        ModelError: A layer has such weights.
    """
    read = {name for node in model.graph.node if node.op_type in _LAYERS for name in node.input}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors |= {node.output[0]: node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"}
    damaged = [
        shown(name)
        for name in tensors.keys() & read
        if tensors[name].data_type in _FLOATS and not np.isfinite(numpy_helper.to_array(tensors[name])).all()
    ]
    if damaged:
        raise ModelError(
            f"{path} holds NaN or infinity in {listed(sorted(damaged), 3)}.",
            "Download or export it again; if its training diverged, give a checkpoint from before that.",
        )


def _wanted_bytes(path: Path, tensor: TensorProto) -> int:
    size = _BYTES.get(tensor.data_type)
    if size is None or min(tensor.dims, default=0) < 0:
        raise ModelError(
            f"{path} holds {shown(tensor.name)} in a type or shape that is not taken; float32 was expected.", AGAIN
        )
    return int(math.prod(tensor.dims)) * size


def _kept_beside(path: Path, tensor: TensorProto, wanted: int) -> bytes:
    where = {entry.key: entry.value for entry in tensor.external_data}
    beside = _file_beside(path, where.get("location", ""))
    start, length = _number(where.get("offset", "0")), _number(where.get("length", str(wanted)))
    values = b""
    if start is not None and length == wanted:
        with beside.open("rb") as file:
            file.seek(start)
            values = file.read(wanted)
    if len(values) != wanted:
        if (error := no_network(beside, ModelError)) is not None:
            raise error
        raise ModelError(
            f"{path} expects {wanted} bytes of {shown(tensor.name)} in {shown(beside.name)}, which has not that many "
            "there.",
            "Copy both files again.",
        )
    return values


def _file_beside(path: Path, name: str) -> Path:
    """The file of a name in the folder of another, where links lead as well: downloads are often kept as links."""
    plain = name.removeprefix("./")
    beside = path.parent / plain
    # a plain name: nothing leads out of the folder
    if not plain or "\0" in plain or Path(plain).name != plain or not beside.is_file():
        raise ModelError(
            f"{path} keeps weights in {shown(name)!r}; a file beside it was expected.",
            "Put the file with its weights into the same folder.",
        )
    if beside.resolve().parent != path.resolve().parent:
        raise ModelError(
            f"{path} keeps weights in {shown(name)!r}, a link to another folder.",
            "Copy the two files themselves, not their links, into one folder.",
        )
    return beside


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None
