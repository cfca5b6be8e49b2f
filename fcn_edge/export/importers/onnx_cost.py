"""What another program's network may cost, known before it runs.

The size of every tensor must follow from the image's size, and be one that can be computed. ONNX's shape inference is
led through the graph piece by piece; where a size is itself computed (from the sides of the image, in floating point
even, as PyTorch does for upsampling), that small part of the graph is run alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper, shape_inference

from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_growth import MOST_VALUES
from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_file import ForeignOnnx, set_size
from fcn_edge.export.importers.onnx_parts import keep_only
from fcn_edge.export.importers.onnx_tail import constants_of
from fcn_edge.export.importers.onnx_values import MOST_IN_SHAPES, Shapes, computed
from fcn_edge.export.importers.onnx_weights import AGAIN

__all__ = ["check_cost"]

MOST_AXES = 16

PIECE = 256
"""Nodes whose shapes are inferred at once: after a size that has to be computed, the rest of them in vain."""


def check_cost(file: ForeignOnnx, size: Size, output: str) -> None:
    """Check that no tensor of a network at a size is too large to compute.

    Args:
        file: The network's file.
        size: ``(height, width)`` of its image.
        output: The tensor that it is to give.

    Raises:
        ModelError: One is too large, sizes contradict one another, or one is known only when the network runs.
    """
    walk = _Walk(file, size, output)
    while walk.left:
        done = walk.infer()
        if walk.left and not walk.settle() and not done:
            raise walk.refusal()


@dataclass
class _Known:
    """What is known of a graph's tensors: their shapes and types, and the values of small ones."""

    shapes: Shapes = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    values: dict[str, NDArray[Any]] = field(default_factory=dict)


class _Walk:
    """A graph on the way from its image to an output.

    What the file itself says of the sizes between does not count: it need not be so.
    """

    def __init__(self, file: ForeignOnnx, size: Size, output: str) -> None:
        self._file, self._size = file, size
        self._opsets = file.model.opset_import
        graph = ModelProto().graph
        graph.node.extend(file.model.graph.node)
        keep_only(graph, {output})
        self._known = _Known(values=constants_of(file.model.graph, MOST_IN_SHAPES))
        for name, value in self._known.values.items():
            self._known.shapes[name] = value.shape
            self._known.types[name] = helper.np_dtype_to_tensor_dtype(value.dtype)
        for tensor in file.model.graph.initializer:
            self._known.shapes[tensor.name], self._known.types[tensor.name] = tuple(tensor.dims), tensor.data_type
        image = ModelProto()
        image.graph.input.append(ValueInfoProto(name=file.image.name))
        set_size(image, file.image, size)
        self._learn(image.graph.input[0])
        self.left: Sequence[NodeProto] = [node for node in graph.node if node.output[0] not in self._known.values]
        self._producers = {name: node for node in self.left for name in node.output if name}

    def infer(self) -> int:
        """Go on over the next nodes, to the first whose shapes are not known; how many they were."""
        piece = self.left[:PIECE]
        inferred = self._inferred(piece, strict=False).graph
        found = {value.name: value for value in (*inferred.value_info, *inferred.output)}
        done = 0
        for node in piece:
            if not all(self._learn(found.get(name)) for name in node.output if name):
                break
            self._check(node)
            done += 1
        self.left = self.left[done:]
        return done

    def settle(self) -> bool:
        """Compute what decides the shapes of the next node; whether there is such."""
        names = [name for name in self.left[0].input if name and name not in self._known.values]
        return computed(names, self._producers, self._known.shapes, self._known.values, self._opsets)

    def refusal(self) -> ModelError:
        """Why the next node's shapes are not known."""
        node = self.left[0]
        try:
            self._inferred([node], strict=True)
        except ModelError as error:
            return error
        return ModelError(
            f"{self._file.path} has a tensor, {shown(node.output[0])} of {shown(node.op_type)}, whose size is known "
            "only when it runs; sizes that follow from the image's were expected.",
            "Export it again at one fixed size, without steps that pick or sort out values.",
        )

    def _inferred(self, nodes: Sequence[NodeProto], *, strict: bool) -> ModelProto:
        model = ModelProto(ir_version=8)
        model.opset_import.extend(self._opsets)
        graph = model.graph
        graph.node.extend(map(_inferable, nodes))
        made = {name for node in nodes for name in node.output}
        for name in dict.fromkeys(name for node in nodes for name in node.input if name and name not in made):
            if name in self._known.values:
                graph.initializer.append(numpy_helper.from_array(self._known.values[name], name))
            else:
                graph.input.append(
                    helper.make_tensor_value_info(name, self._known.types[name], self._known.shapes[name])
                )
        try:
            return shape_inference.infer_shapes(model, strict_mode=strict)
        except Exception as error:
            height, width = self._size
            raise ModelError(
                f"{self._file.path} has shapes that do not fit together for an image of {height}x{width}.",
                f"Give a --size that it was made for. {AGAIN}",
            ) from error

    def _learn(self, value: ValueInfoProto | None) -> bool:
        """Note the shape of a tensor; whether all of it is known."""
        kind = value.type.tensor_type if value is not None else None
        if value is None or kind is None or not kind.HasField("shape") or len(kind.shape.dim) > MOST_AXES:
            return False
        if not all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in kind.shape.dim):
            return False
        self._known.shapes[value.name] = tuple(dim.dim_value for dim in kind.shape.dim)
        self._known.types[value.name] = kind.elem_type
        return True

    def _check(self, node: NodeProto) -> None:
        shapes = self._known.shapes
        largest = max([*(math.prod(shapes[name]) for name in node.output if name), _beside(node, shapes)])
        if largest > MOST_VALUES:
            raise ModelError(
                f"{self._file.path} computes more than {MOST_VALUES} values in one tensor, {shown(node.output[0])}, "
                "which is too large.",
                "Give a smaller --size.",
            )


def _inferable(node: NodeProto) -> NodeProto:
    """A node that ONNX infers shapes for: it does not know that this one gives what it takes."""
    if node.op_type != "GroupNormalization":
        return node
    return helper.make_node("Identity", [node.input[0]], list(node.output))


def _beside(node: NodeProto, shapes: Shapes) -> int:
    """Values that ONNX Runtime keeps beside what a node takes and gives."""
    given = [shapes.get(name, ()) for name in node.input]
    if node.op_type == "ConvTranspose" and len(given) > 1 and len(given[1]) > 2:
        # a column of the whole kernel for each pixel
        return math.prod(given[1][1:]) * math.prod(given[0][2:])
    if node.op_type == "Einsum" and len(given) > 2:
        # two at a time, whose product has the axes of both
        return math.prod(side for shape in given for side in shape)
    return 0
