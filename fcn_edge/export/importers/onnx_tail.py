"""Where the class scores are in a graph that goes on from them to a mask.

Most exports end in ``Resize`` (bilinear, to the image's size), ``ArgMax`` and a ``Cast``: what this package does at the
frame's own size instead, from the scores before the Resize. Softmax and Sigmoid keep the order of the classes at each
pixel, so those after a Resize may go with it; those before it are part of what is interpolated, and stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Tail", "attributes", "constants_of", "found_tail"]

Grid = Literal["edges", "corners", "origin"]
"""How an upsampling lays its cells; ``origin``: the first cell's center on the first pixel's (``asymmetric``)."""

_GRIDS: dict[str, Grid] = {
    "half_pixel": "edges",
    "pytorch_half_pixel": "edges",
    "align_corners": "corners",
    "asymmetric": "origin",
}
CHANNELS = 1
SOFTMAX_OVER_ONE_AXIS = 13
"""Opset from which Softmax takes one axis; before, all from it on, which keeps the order at each pixel too."""


@dataclass(frozen=True)
class Tail:
    """What follows the class scores in a graph.

    Attributes:
        output: The graph's output, or the tensor that the user named.
        masks: The output is a mask, not scores.
        scores: The tensor of the scores, ``(1, C, rows, columns)`` or ``(1, rows, columns, C)``.
        axis: Where the classes are in it: 1 or 3.
        grid: How it is upsampled from there; None when it is not.
        upsampled: The result of that, with ``upsampled_axis``; the scores themselves where nothing upsamples them.
        upsampled_axis: Where the classes are in that.
        scales: The upsampling multiplies its sides, where others are given the image's.
    """

    output: str
    masks: bool
    scores: str
    axis: int
    grid: Grid | None
    upsampled: str
    upsampled_axis: int
    scales: bool = False


def found_tail(graph: GraphProto, output: str, opset: int, *, idle: int = 0) -> Tail:
    """Walk back from an output to the class scores.

    Args:
        graph: The graph.
        output: Where it ends.
        opset: Version of its operators.
        idle: Upsamplings at the end that change no size: what they are given is looked at in their place.
    """
    walk = _Walk(graph, opset)
    name, masks = walk.below_labels(output)
    if not masks:
        name = output
    axis = walk.argmax_axis if masks else walk.classes_axis(output)
    below, below_axis = walk.below_activations(name, axis)
    for _ in range(idle):
        node = walk.made_by(below)
        if node is None or node.op_type != "Resize":
            break
        below, below_axis = walk.below_layout(node.input[0], below_axis)
    node = walk.made_by(below)
    grid = _grid_of(node, below_axis, walk.constants)
    if node is None or grid is None:
        # nothing interpolates here: an activation is part of the scores unless a mask is made of them
        kept, kept_axis = (below, below_axis) if masks else walk.below_layout(name, axis)
        return Tail(output, masks, kept, kept_axis, None, kept, kept_axis)
    cut, cut_axis = walk.below_layout(node.input[0], below_axis)
    return Tail(output, masks, cut, cut_axis, grid, below, below_axis, scales=_by_scales(node))


class _Walk:
    """A graph, walked from its end."""

    def __init__(self, graph: GraphProto, opset: int) -> None:
        self._producers = {name: node for node in graph.node for name in node.output}
        self._opset = opset
        self.constants = constants_of(graph)
        self.argmax_axis = CHANNELS

    def made_by(self, name: str) -> NodeProto | None:
        return self._producers.get(name)

    def below_labels(self, name: str) -> tuple[str, bool]:
        """What the ArgMax of a mask takes, and whether there is one; notes its axis."""
        while (node := self.made_by(name)) is not None and node.op_type in _AROUND_LABELS:
            name = node.input[0]
        if node is None or node.op_type != "ArgMax":
            return name, False
        axis = int(attributes(node).get("axis", 0))
        # of (1, C, H, W), of (1, H, W, C), or of (C, H, W) that a Squeeze took the batch from
        self.argmax_axis = {0: 1, 1: 1, -3: 1, 3: 3, -1: 3, 2: 3}[axis] if -4 < axis < 4 and axis != -2 else CHANNELS
        return node.input[0], True

    def classes_axis(self, name: str) -> int:
        """Where the classes are in scores: last where a Transpose brought them there, as TensorFlow has them."""
        node = self.made_by(name)
        while node is not None and node.op_type in _OVER_CLASSES:
            node = self.made_by(node.input[0])
        moved = node is not None and node.op_type == "Transpose" and _order(node) == [0, 2, 3, 1]
        return 3 if moved else CHANNELS

    def below_activations(self, name: str, axis: int) -> tuple[str, int]:
        """Below what keeps the order of the classes at each pixel."""
        while True:
            name, axis = self.below_layout(name, axis)
            node = self.made_by(name)
            if node is None:
                return name, axis
            if (source := self._turned_softmax(node, axis)) is not None:
                name = source
            elif self._keeps_order(node, axis) or _between_floats(node):
                name = node.input[0]
            else:
                return name, axis

    def _turned_softmax(self, node: NodeProto, axis: int) -> str | None:
        """What a Softmax over classes takes that PyTorch turned around for it: it had the last axis only, once."""
        inner = self.made_by(node.input[0]) if node.op_type == "Transpose" else None
        turned = self.made_by(inner.input[0]) if inner is not None else None
        if inner is None or turned is None or turned.op_type != "Transpose":
            return None
        order, back = _order(turned), _order(node)
        if len(order) != 4 or [order[each] for each in back] != [0, 1, 2, 3] or axis not in order:
            return None
        return str(turned.input[0]) if self._keeps_order(inner, order.index(axis)) else None

    def below_layout(self, name: str, axis: int) -> tuple[str, int]:
        """Below what moves the axes only."""
        while (node := self.made_by(name)) is not None:
            if node.op_type == "Transpose":
                order = _order(node)
                if order not in ([0, 2, 3, 1], [0, 3, 1, 2]):
                    break
                axis = order[axis]
            elif node.op_type == "Squeeze":
                if self._axes(node) != [0]:
                    break
            elif node.op_type == "Gather":
                first = self.constants.get(node.input[1])
                if attributes(node).get("axis", 0) != 0 or first is None or first.ndim or first != 0:
                    break
            elif node.op_type not in ("Identity", "Dropout"):
                break
            name = node.input[0]
        return name, axis

    def _keeps_order(self, node: NodeProto, axis: int) -> bool:
        if node.op_type == "Sigmoid":
            return True
        if node.op_type not in ("Softmax", "LogSoftmax"):
            return False
        over = int(attributes(node).get("axis", -1 if self._opset >= SOFTMAX_OVER_ONE_AXIS else 1))
        over = over + 4 if over < 0 else over
        return over == axis if self._opset >= SOFTMAX_OVER_ONE_AXIS else over <= axis

    def _axes(self, node: NodeProto) -> list[int]:
        if len(node.input) > 1:
            values = self.constants.get(node.input[1])
            return [] if values is None else [int(value) for value in values.ravel()]
        return [int(value) for value in attributes(node).get("axes", ())]


_OVER_CLASSES = ("Softmax", "LogSoftmax", "Sigmoid", "Identity", "Cast")
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_AROUND_LABELS = ("Cast", "Squeeze", "Unsqueeze", "Identity", "Reshape")


def _grid_of(node: NodeProto | None, axis: int, constants: dict[str, NDArray[np.generic]]) -> Grid | None:
    """How a node upsamples scores, where it is bilinear interpolation of their rows and columns."""
    if node is None or node.op_type != "Resize":
        return None
    how = attributes(node)
    if how.get("mode", b"nearest") != b"linear" or how.get("antialias", 0) or how.get("axes"):
        return None
    if _by_scales(node):
        factors = constants.get(node.input[2])
        if factors is None or factors.size != 4:
            return None
        sides = [float(factor) for at, factor in enumerate(factors.ravel()) if at not in (0, axis)]
        if factors.ravel()[0] != 1 or factors.ravel()[axis] != 1 or min(sides) < 1:
            return None
    return _GRIDS.get(how.get("coordinate_transformation_mode", b"half_pixel").decode(errors="replace"))


def _between_floats(node: NodeProto) -> bool:
    """Whether a node changes the precision of scores, as converters to float16 put it around what they leave."""
    return node.op_type == "Cast" and attributes(node).get("to") in _FLOATS


def _by_scales(node: NodeProto) -> bool:
    return len(node.input) < 4 or not node.input[3]


def _order(node: NodeProto) -> list[int]:
    return [int(axis) for axis in attributes(node).get("perm", ())]


def attributes(node: NodeProto) -> dict[str, Any]:
    """Values of a node's attributes, texts as bytes."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def constants_of(graph: GraphProto, most: int = 64) -> dict[str, NDArray[np.generic]]:
    """The small constants of a graph: what shapes and factors are written down in.

    Args:
        graph: The graph.
        most: Values of the largest.
    """
    found = {each.name: numpy_helper.to_array(each) for each in graph.initializer if math.prod(each.dims) <= most}
    for node in graph.node:
        for key, value in attributes(node).items() if node.op_type == "Constant" else ():
            if key == "value" and math.prod(value.dims) <= most:
                found[node.output[0]] = numpy_helper.to_array(value)
            elif key in ("value_float", "value_floats", "value_int", "value_ints") and np.size(value) <= most:
                found[node.output[0]] = np.asarray(value, np.float32 if "float" in key else np.int64)
    return found
