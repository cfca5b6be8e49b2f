"""ONNX files that other programs wrote, opened so that nothing in them is trusted.

Such a file is read whole, the weights that it keeps beside itself included, and brought to a batch of one image. What
it may cost is bounded before it is parsed; ``onnx_cost`` bounds what it costs to run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx
from onnx import ModelProto, TensorProto, helper

from fcn_edge.artifacts.onnx_graph import graph_of_onnx
from fcn_edge.artifacts.onnx_header import metadata_of_onnx, opened_file
from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_float32 import half_bytes, widen
from fcn_edge.export.importers.onnx_weights import AGAIN, MOST_BYTES, refuse_diverged, take_weights_in

__all__ = ["ForeignOnnx", "ImageInput", "opened_foreign"]

MOST_SHOWN = 6
"""Sides of a wrong shape that a message tells."""

OLDEST_OPSET, OLDEST_OPSET_WITHOUT = 11, 9
"""The first whose Resize says how it lays its grid, and what PyTorch wrote before that, for graphs without one."""


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
        widened: It computes in float16, and its content here in float32.
    """

    path: Path
    model: ModelProto
    image: ImageInput
    outputs: tuple[str, ...]
    metadata: dict[str, str]
    widened: bool = False


def opened_foreign(path: Path) -> ForeignOnnx:
    """Open an ONNX file that takes one image.

    Raises:
        ModelError: The file is missing or damaged, too large, or holds what is not taken: several inputs, sub-graphs,
            operators that ONNX does not define, quantized weights.
    """
    found = graph_of_onnx(path, fix=AGAIN)
    resizes = {"Resize", "Upsample"} & found.operators.keys()
    if found.opset < (OLDEST_OPSET if resizes else OLDEST_OPSET_WITHOUT):
        oldest = f"{OLDEST_OPSET} or newer" if resizes else f"{OLDEST_OPSET_WITHOUT} or newer"
        raise ModelError(f"{path} is of opset {found.opset}; {oldest} was expected.", "Export it again with opset 17.")
    with opened_file(path) as file:
        # as much is allocated as is asked for
        content = file.read(min(MOST_BYTES, os.fstat(file.fileno()).st_size) + 1)
    if len(content) > MOST_BYTES:
        raise ModelError(f"{path} is larger than 2 GiB.", "Give a smaller network.")
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # its class depends on protobuf's version
        raise ModelError(f"{path} is damaged: it is no ONNX model.", AGAIN) from error
    del content
    newest = onnx.defs.onnx_opset_version()
    if found.opset > newest:
        raise ModelError(
            f"{path} is of opset {found.opset}; the onnx package that is installed knows {newest}.",
            "Export it again with opset 20, or update: pip install --upgrade onnx onnxruntime",
        )
    _check_operators(path, model)
    take_weights_in(path, model)
    outputs = list(model.graph.output)
    # tools that append an output leave its type or shape open, with which a file runs, but fails the check
    del model.graph.output[:]
    model.graph.output.extend(value for value in outputs if value.type.tensor_type.HasField("shape"))
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path} is no valid ONNX model of opset {found.opset}.", AGAIN) from error
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    if model.ByteSize() + half_bytes(model) > MOST_BYTES:
        raise ModelError(f"{path} has weights of more than 2 GiB in float32.", "Give a smaller network.")
    refuse_diverged(path, model)
    widened = widen(model)
    image = _image_input(path, model)
    names = tuple(value.name for value in model.graph.output)
    return ForeignOnnx(path, model, image, names, metadata_of_onnx(path), widened)


def set_size(model: ModelProto, image: ImageInput, size: Size) -> None:
    """Declare the size of the image that a graph takes, in place."""
    (value,) = (value for value in model.graph.input if value.name == image.name)
    shape = [1, 3, *size] if image.layout == "nchw" else [1, *size, 3]
    value.CopyFrom(helper.make_tensor_value_info(image.name, image.element, shape))


def _check_operators(path: Path, model: ModelProto) -> None:
    """Check that a graph holds no operators that cannot be quantized, or that TensorRT does not take."""
    for node in model.graph.node:
        if "Sequence" in node.op_type:
            raise ModelError(
                f"{path} holds {node.op_type}; only tensors were expected, as TensorRT takes no sequences of them.",
                "Export it again at one fixed size, or with torch.onnx.export(..., dynamo=True).",
            )
        if node.op_type in ("QLinearConv", "ConvInteger", "DequantizeLinear"):
            raise ModelError(
                f"{path} is quantized already ({node.op_type}).",
                "Give the network in float32: fcn-edge calibrate and build quantize it.",
            )


def _image_input(path: Path, model: ModelProto) -> ImageInput:
    """The one image that a graph takes; its batch is set to one, in place."""
    weights = {initializer.name for initializer in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in weights]
    # older files list their weights among the inputs, where they could be replaced at run time
    del model.graph.input[:]
    model.graph.input.extend(free)
    if len(free) != 1:
        raise ModelError(
            f"{path} takes {len(free)} inputs; one image was expected.", "Export the network with its image alone."
        )
    value = free[0]
    element = value.type.tensor_type.elem_type
    if element not in (TensorProto.FLOAT, TensorProto.UINT8):
        raise ModelError(
            f"{path} takes an image of another type than float32 and uint8.",
            "Export it in float32 or float16.",
        )
    sides = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in value.type.tensor_type.shape.dim]
    sides = [max(side, 0) for side in sides]  # some write -1 where a side is open
    if len(sides) != 4 or sides[0] > 1 or (sides[1] not in (0, 3) and sides[3] != 3):
        shape = "x".join(str(side or "?") for side in sides[:MOST_SHOWN]) or "an image of no known shape"
        several = len(sides) == 4 and sides[0] > 1
        raise ModelError(
            f"{path} takes {shape}; one image (1x3xHEIGHTxWIDTH) was expected.",
            "Export it with a batch of 1, or an open one; fcn-edge build --batch makes engines of more."
            if several
            else "Export it with one image of three colors as its input, of shape (1, 3, height, width).",
        )
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
