"""Shapes and element types of a graph's tensors, and graphs of one size made of those that are open."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN
from fcn_edge.errors import ModelError
from fcn_edge.text import printable, whole

__all__ = ["FLOAT", "element_types", "fix_size", "shapes_at"]

FLOAT = int(TensorProto.FLOAT)

LARGE = 1024
"""Values of a constant, above which it is a weight and no shape."""


def element_types(model: ModelProto) -> dict[str, int]:
    """ONNX's number of the element type of every tensor that ONNX can tell it of, by the tensor's name."""
    return {value.name: value.type.tensor_type.elem_type for value in _inferred(_without_weights(model))}


def shapes_at(model: ModelProto, size: tuple[int, int]) -> dict[str, list[int]]:
    """Shape of every tensor for an image of ``size``, by the tensor's name; 0 along an axis that ONNX cannot tell.

    Args:
        model: A graph from ``image``; it may be open in height and width.
        size: ``(height, width)``, multiples of what the graph asks for.

    Raises:
        ModelError: The graph does not take that size.
    """
    light = _without_weights(model)
    _fix_input(light, size)
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in _inferred(light)}
    if any(side < 0 for shape in shapes.values() for side in shape):  # of a kernel that is larger than what it is for
        raise _misfit()
    return shapes


def fix_size(model: ModelProto, size: tuple[int, int], grid: tuple[int, int] | None = None) -> None:
    """Give a graph with open sizes one, in place: height and width of its input, and what follows for its output.

    Args:
        model: A graph from ``image``, whose open sizes read ``32*h`` and ``32*w`` or have another factor.
        size: ``(height, width)``, multiples of the factors.
        grid: Rows and columns of its scores at that size, where these do not follow from the factors.

    Raises:
        ModelError: An open size has another name, or the factor does not divide the size.
    """
    _close_crops(model, size)
    units = _fix_input(model, size)
    if grid is not None:
        units |= dict(zip(("rows", "columns"), grid, strict=True))
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                factor, name = _open_side(dim.dim_param)
                if name not in units:
                    raise ModelError(f"The graph has an open size {dim.dim_param!r}, which its input does not fix.")
                dim.dim_value = factor * units[name]
    del model.graph.value_info[:]


def _fix_input(model: ModelProto, size: tuple[int, int]) -> dict[str, int]:
    """Fix height and width of the image; returns the values of the names that they had."""
    units: dict[str, int] = {}
    for dim, side in zip(model.graph.input[0].type.tensor_type.shape.dim, size, strict=False):
        if dim.dim_param:
            factor, name = _open_side(dim.dim_param)
            if side % factor:
                raise ModelError(f"The network takes sides that are multiples of {factor}, and {side} is none.")
            units[name] = side // factor
            dim.dim_value = side
    return units


def _open_side(text: str) -> tuple[int, str]:
    """Factor and name of an open size such as ``32*h``."""
    factor, _, name = text.rpartition("*")
    number = whole(factor) if factor else 1
    if number is None:
        raise ModelError(
            f"The graph has an open size '{printable(text, 80)}'; one such as '32*h' was expected.", EXPORT_AGAIN
        )
    return number, name


def _close_crops(model: ModelProto, size: tuple[int, int]) -> None:
    """Write the ends of slices that follow another tensor's size down as numbers: backends fuse and check those better.

    Args:
        model: A graph whose crops are those that the export writes: a Slice whose ends are an Add of a Shape.
        size: ``(height, width)`` of the image.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    crops = [found for node in graph.node if (found := _open_ends(node, producers)) is not None]
    if not crops:
        return
    shapes = shapes_at(model, size)
    offsets = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer if len(each.dims) == 1}
    gone: list[NodeProto] = []
    for ends, sides in crops:
        inside = shapes.get(str(sides.input[0]), [])[2:4]
        offset = offsets.get(str(ends.input[1]))
        if 0 in inside or len(inside) != 2 or offset is None or offset.shape != (2,):
            continue
        name = str(ends.output[0])
        graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [2], inside + offset))
        gone += [ends, sides]
    kept = [node for node in graph.node if not any(node is each for each in gone)]
    del graph.node[:]
    graph.node.extend(kept)


def _open_ends(node: NodeProto, producers: dict[str, NodeProto]) -> tuple[NodeProto, NodeProto] | None:
    """The Add and the Shape that give a Slice its ends; None where they are numbers."""
    ends = producers.get(node.input[2]) if node.op_type == "Slice" and len(node.input) > 2 else None
    sides = producers.get(ends.input[0]) if ends is not None and ends.op_type == "Add" else None
    return (ends, sides) if ends is not None and sides is not None and sides.op_type == "Shape" else None


def _without_weights(model: ModelProto) -> ModelProto:
    """The graph with its large constants as inputs: their shapes are enough, and copying them takes seconds."""
    graph = model.graph
    large = [each for each in graph.initializer if np.prod(each.dims) > LARGE]
    inputs = [helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in large]
    names = {each.name for each in large}
    small = [each for each in graph.initializer if each.name not in names]
    outputs = []
    for value in graph.output:
        # what a graph says of its output's sides contradicts what follows once its input is fixed
        sides = [None if dim.dim_param else dim.dim_value for dim in value.type.tensor_type.shape.dim]
        outputs.append(helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, sides))
    light = helper.make_graph(graph.node, graph.name, [*graph.input, *inputs], outputs, small)
    return helper.make_model(light, opset_imports=model.opset_import, ir_version=model.ir_version)


def _inferred(light: ModelProto) -> list[ValueInfoProto]:
    try:
        graph = onnx.shape_inference.infer_shapes(light, strict_mode=True, data_prop=True).graph
    except Exception as error:  # its classes have no base in common, and protobuf has its own
        raise _misfit() from error
    return [*graph.value_info, *graph.input, *graph.output]


def _misfit() -> ModelError:
    return ModelError("The model's graph has sizes that do not fit together.", EXPORT_AGAIN)
