"""ONNX files that other programs wrote, opened so that nothing in them is trusted.

Such a file is read whole, the weights that it keeps beside itself included, and brought to a batch of one image. What
it may cost is bounded before it is parsed, and before it runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from onnx import AttributeProto, ModelProto, TensorProto, helper, shape_inference

from fcn_edge.artifacts.onnx_graph import graph_of_onnx
from fcn_edge.artifacts.onnx_header import metadata_of_onnx, opened_file
from fcn_edge.artifacts.spec import Size
from fcn_edge.artifacts.weights import shown
from fcn_edge.errors import ModelError

__all__ = ["ForeignOnnx", "ImageInput", "opened_foreign"]

MOST_BYTES = (1 << 31) - 1
"""Of a file with its weights: protobuf's own limit."""

MOST_NODES = 20_000
MOST_VALUES = 1 << 29
"""Of one tensor while the network runs: 2 GiB of floats."""

OLDEST_OPSET, OLDEST_OPSET_WITHOUT = 11, 9
"""The first whose Resize says how it lays its grid, and what PyTorch wrote before that, for graphs without one."""

AGAIN = "Export it again from the library that trained it, as plain ONNX in float32."

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


@dataclass(frozen=True)
class ImageInput:
    """The image that a network takes.

    Attributes:
        name: What the graph calls it.
        layout: Order of the axes of ``(1, 3, H, W)`` or ``(1, H, W, 3)``.
        element: ONNX's number of the element type: float32 or uint8.
        size: ``(height, width)`` where the graph takes one size only, None where both are open.
    """

    name: str
    layout: Literal["nchw", "nhwc"]
    element: int
    size: Size | None


@dataclass(frozen=True)
class ForeignOnnx:
    """Another program's ONNX file.

    Attributes:
        path: The file.
        model: Its content, for one image at a time, with all weights inside.
        image: What it takes.
        outputs: Names of its outputs.
        metadata: Its ``metadata_props``.
    """

    path: Path
    model: ModelProto
    image: ImageInput
    outputs: tuple[str, ...]
    metadata: dict[str, str]


def opened_foreign(path: Path) -> ForeignOnnx:
    """Open an ONNX file that takes one image.

    Raises:
        ModelError: The file is missing or damaged, too large, or holds what is not taken: several inputs, sub-graphs,
            operators that ONNX does not define, quantized or half precision input.
    """
    found = graph_of_onnx(path)
    if sum(found.operators.values()) > MOST_NODES:
        raise ModelError(
            f"{path} has {sum(found.operators.values())} nodes; no more than {MOST_NODES} were expected.", AGAIN
        )
    resizes = {"Resize", "Upsample"} & found.operators.keys()
    if found.opset < (OLDEST_OPSET if resizes else OLDEST_OPSET_WITHOUT):
        oldest = f"{OLDEST_OPSET} or newer" if resizes else f"{OLDEST_OPSET_WITHOUT} or newer"
        raise ModelError(f"{path} is of opset {found.opset}; {oldest} was expected.", AGAIN)
    with opened_file(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ModelError(f"{path} is larger than 2 GiB.", "Give its weights in float16, or a smaller network.")
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # its class depends on protobuf's version
        raise ModelError(f"{path} is damaged: it is no ONNX model.", AGAIN) from error
    del content
    _check_structure(path, model)
    _take_weights_in(path, model)
    _check_weights(path, model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path} is no valid ONNX model of opset {found.opset}.", AGAIN) from error
    image = _image_input(path, model)
    return ForeignOnnx(path, model, image, tuple(value.name for value in model.graph.output), metadata_of_onnx(path))


def check_cost(file: ForeignOnnx, size: Size) -> None:
    """Check that no tensor of a network at a size is too large to compute.

    Raises:
        ModelError: One is, or the shapes of the graph contradict one another.
    """
    sized = ModelProto()
    sized.CopyFrom(file.model)
    set_size(sized, file.image, size)
    try:
        inferred = shape_inference.infer_shapes(sized, strict_mode=False, data_prop=True)
    except Exception as error:
        raise ModelError(f"{file.path} has shapes that do not fit together.", AGAIN) from error
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        sides = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if math.prod(max(side, 1) for side in sides) > MOST_VALUES:
            raise ModelError(
                f"{file.path} computes more than {MOST_VALUES} values in one tensor, {shown(value.name)}, which is too "
                "large.",
                "Give a smaller --size.",
            )


def set_size(model: ModelProto, image: ImageInput, size: Size) -> None:
    """Declare the size of the image that a graph takes, in place."""
    (value,) = (value for value in model.graph.input if value.name == image.name)
    shape = [1, 3, *size] if image.layout == "nchw" else [1, *size, 3]
    value.CopyFrom(helper.make_tensor_value_info(image.name, image.element, shape))


def _check_structure(path: Path, model: ModelProto) -> None:
    """Check that a graph is one flat list of operators that ONNX itself defines."""
    if model.functions or model.training_info:
        raise ModelError(f"{path} holds functions or training steps; one plain graph was expected.", AGAIN)
    for node in model.graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ModelError(
                f"{path} holds {shown(node.op_type)} with a graph of its own; a network without branches and "
                "loops was expected.",
                AGAIN,
            )
        if node.domain not in ("", "ai.onnx"):
            raise ModelError(
                f"{path} holds {shown(node.op_type)} of {shown(node.domain)}; only ONNX's own operators were expected.",
                AGAIN,
            )
        if node.op_type in ("QLinearConv", "ConvInteger", "DequantizeLinear"):
            raise ModelError(
                f"{path} is quantized already ({node.op_type}).",
                "Give the network in float32: fcn-edge calibrate and build quantize it.",
            )
    if model.graph.sparse_initializer:
        raise ModelError(f"{path} holds sparse weights; dense ones were expected.", AGAIN)


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t


def _take_weights_in(path: Path, model: ModelProto) -> None:
    """Read the weights that are kept beside the file, as PyTorch's exporter keeps them, into the model."""
    outside = [tensor for tensor in _tensors(model) if tensor.data_location == TensorProto.EXTERNAL]
    total = model.ByteSize()
    for tensor in outside:
        where = {entry.key: entry.value for entry in tensor.external_data}
        name, wanted = where.get("location", ""), _wanted_bytes(path, tensor)
        beside = path.parent / name
        # a plain name: nothing leads out of the folder
        if not name or "\0" in name or Path(name).name != name or beside.is_symlink() or not beside.is_file():
            raise ModelError(
                f"{path} keeps weights in {shown(name)!r}; a file beside it was expected.",
                "Put the file with its weights into the same folder.",
            )
        start = where.get("offset", "0")
        total += wanted
        if total > MOST_BYTES:
            raise ModelError(f"{path} has weights of more than 2 GiB.", "Give a smaller network.")
        with beside.open("rb") as file:
            file.seek(int(start) if start.isdecimal() and len(start) < 16 else 0)
            values = file.read(wanted)
        if len(values) != wanted or not start.isdecimal() or where.get("length", str(wanted)) != str(wanted):
            raise ModelError(
                f"{path} expects {wanted} bytes of {shown(tensor.name)} in {shown(name)}, which ends before.",
                "Copy both files again.",
            )
        del tensor.external_data[:]
        tensor.ClearField("data_location")
        tensor.raw_data = values


def _check_weights(path: Path, model: ModelProto) -> None:
    """Check that each tensor holds as many values as its shape says."""
    for tensor in _tensors(model):
        if tensor.HasField("raw_data") and len(tensor.raw_data) != _wanted_bytes(path, tensor):
            raise ModelError(
                f"{path} is damaged: {shown(tensor.name)} holds {len(tensor.raw_data)} bytes, not as many as its shape "
                "says.",
                AGAIN,
            )


def _wanted_bytes(path: Path, tensor: TensorProto) -> int:
    size = _BYTES.get(tensor.data_type)
    if size is None or min(tensor.dims, default=0) < 0:
        raise ModelError(
            f"{path} holds {shown(tensor.name)} in a type or shape that is not taken; float32 was expected.", AGAIN
        )
    return int(math.prod(tensor.dims)) * size


def _image_input(path: Path, model: ModelProto) -> ImageInput:
    """The one image that a graph takes; its batch is set to one, in place."""
    weights = {initializer.name for initializer in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in weights]
    # older files list their weights among the inputs, where they could be replaced at run time
    del model.graph.input[:]
    model.graph.input.extend(free)
    if len(free) != 1:
        raise ModelError(f"{path} takes {len(free)} inputs; one image was expected.", AGAIN)
    value = free[0]
    element = value.type.tensor_type.elem_type
    if element not in (TensorProto.FLOAT, TensorProto.UINT8):
        raise ModelError(f"{path} takes no float32 and no uint8 image.", AGAIN)
    sides = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in value.type.tensor_type.shape.dim]
    sides = [max(side, 0) for side in sides]  # some write -1 where a side is open
    if len(sides) != 4 or sides[0] > 1 or (sides[1] not in (0, 3) and sides[3] != 3):
        shape = "x".join(str(side or "?") for side in sides)
        raise ModelError(f"{path} takes {shape}; one image (1x3xHEIGHTxWIDTH) was expected.", AGAIN)
    layout: Literal["nchw", "nhwc"] = "nhwc" if sides[3] == 3 and sides[1] != 3 else "nchw"
    height, width = sides[2:] if layout == "nchw" else sides[1:3]
    if bool(height) != bool(width):
        raise ModelError(
            f"{path} takes images of {height or '?'}x{width or '?'}: only one of their sides is open.",
            "Export it with both sides fixed, or both open.",
        )
    image = ImageInput(value.name, layout, element, (height, width) if height else None)
    lead = value.type.tensor_type.shape.dim[0]
    lead.Clear()
    lead.dim_value = 1
    return image
