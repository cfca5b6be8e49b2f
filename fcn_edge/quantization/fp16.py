"""A float32 graph, with or without Q/DQ, to one that computes in FP16, typed as TensorRT 11 wants it.

Every float tensor becomes FP16, constants and Q/DQ scales included, but for islands: layers whose results or sums could
leave the range of FP16 keep float32, with casts around them. The image stays uint8 and the scores stay float32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from fcn_edge.artifacts.calibration_table import TensorRange
from fcn_edge.errors import ModelError
from fcn_edge.quantization.graph import Conv, GraphView
from fcn_edge.quantization.shapes import FLOAT, element_types

__all__ = ["LARGEST", "LIMIT", "float_islands", "halve", "largest", "largest_sum"]

LARGEST = float(np.finfo(np.float16).max)

HEADROOM = 8
"""Activations of other images may be this many times as large as those of the calibration."""

LIMIT = LARGEST / HEADROOM
"""What is measured to be larger does not fit into FP16."""

_NO_DATA = {"Resize": (1, 2)}
"""Float inputs that are no data, by operator: they keep their types."""


def float_islands(model: ModelProto, ranges: Mapping[str, TensorRange]) -> frozenset[str]:
    """Nodes that have to compute in float32, by name.

    A node is one when what it reads or gives was measured to come near the end of FP16, and a convolution also when
    a partial sum may.

    Args:
        model: The float graph.
        ranges: Ranges of its activations.
    """
    spans = dict(ranges)
    for node in model.graph.node:
        if node.op_type in ("Squeeze", "Unsqueeze") and node.input[0] in spans:
            spans |= dict.fromkeys(map(str, node.output), spans[str(node.input[0])])

    def beyond(name: str) -> bool:
        span = spans.get(name)
        return span is not None and largest(span) > LIMIT

    view = GraphView(model)
    found = set()
    for node in model.graph.node:
        if any(beyond(str(name)) for name in (*node.input, *node.output)):
            found.add(str(node.name))
    found.update(conv.name for conv in view.convs if largest_sum(conv, ranges) > LIMIT)
    return frozenset(found)


def largest(span: TensorRange) -> float:
    """The largest magnitude that was measured of a tensor."""
    return max(-span.low, span.high)


def largest_sum(conv: Conv, ranges: Mapping[str, TensorRange]) -> float:
    """Bound of a convolution's partial sums; 0 where its input was not measured.

    By Cauchy and Schwarz they are at most the norm of the weights times that of the patch.

    Args:
        conv: The convolution.
        ranges: Ranges of activations, by name of the tensor.
    """
    span = ranges.get(conv.input)
    if span is None:
        return 0.0
    patch = conv.weight[0].size
    norm = float(np.sqrt((conv.weight.astype(np.float64) ** 2).reshape(len(conv.weight), -1).sum(axis=1).max()))
    return norm * span.rms * float(patch**0.5)


def halve(model: ModelProto, islands: Collection[str] = ()) -> None:
    """Let a graph compute in FP16, in place.

    Args:
        model: A graph from a uint8 image to float32 scores or uint8 labels, with float32 constants; weights may be
            stored as FP16 behind a Cast.
        islands: Names of nodes that keep float32.

    Raises:
        ModelError: A constant outside the islands does not fit into FP16.
    """
    _Halving(model, islands).run()
    del model.graph.value_info[:]


class _Halving:
    def __init__(self, model: ModelProto, islands: Collection[str]) -> None:
        self.graph = model.graph
        self.islands = islands
        self.initializers = {each.name: each for each in self.graph.initializer}
        self.floats = frozenset(name for name, kind in element_types(model).items() if kind == FLOAT)
        self.types: dict[str, int] = {each.name: each.data_type for each in self.graph.initializer}
        self.types.update({each.name: each.type.tensor_type.elem_type for each in self.graph.input})
        self.nodes: list[NodeProto] = []
        self.made: dict[tuple[str, int], str] = {}

    def run(self) -> None:
        outputs = {value.name: value.type.tensor_type.elem_type for value in self.graph.output}
        for node in self.graph.node:
            if self._is_weight_cast(node):
                continue
            self._retype(node, outputs)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        kept = [each for each in self.initializers.values() if each.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)

    def _is_weight_cast(self, node: NodeProto) -> bool:
        """Fold the cast of a stored weight: the stored one is read in its place."""
        if node.op_type != "Cast" or node.input[0] not in self.initializers:
            return False
        values = numpy_helper.to_array(self.initializers.pop(str(node.input[0])))
        self._constant(str(node.output[0]), np.asarray(values, np.float32))
        return True

    def _retype(self, node: NodeProto, outputs: Mapping[str, int]) -> None:
        wanted = TensorProto.FLOAT if node.name in self.islands else TensorProto.FLOAT16
        if node.op_type == "Cast":
            target = next(each for each in node.attribute if each.name == "to")
            if target.i == TensorProto.FLOAT:
                target.i = wanted
        else:
            self._inputs_as(node, wanted)
        self.nodes.append(node)
        for index, name in enumerate(node.output):
            if str(name) not in self.floats:
                continue
            given = self.types[str(name)] = wanted
            if str(name) in outputs and given != outputs[str(name)]:
                # the graph gives what it gave before: the node gets another name, and a cast the old one
                node.output[index] = f"{name}.fp16"
                self.types[f"{name}.fp16"] = given
                self._cast(f"{name}.fp16", str(name), outputs[str(name)])

    def _inputs_as(self, node: NodeProto, wanted: int) -> None:
        """Bring a node's float inputs to a type."""
        kept = _NO_DATA.get(node.op_type, ())
        for index, name in enumerate(node.input):
            kind = self.types.get(str(name))  # neither texts of no name nor integers have one that is to change
            if index not in kept and kind in (TensorProto.FLOAT, TensorProto.FLOAT16) and kind != wanted:
                node.input[index] = self._converted(str(name), wanted)

    def _converted(self, name: str, wanted: int) -> str:
        key = (name, wanted)
        if key not in self.made:
            if name in self.initializers:
                self.made[key] = self._constant_as(name, wanted)
            else:
                suffix = "fp16" if wanted == TensorProto.FLOAT16 else "fp32"
                self.made[key] = f"{name}.as_{suffix}"
                self._cast(name, self.made[key], wanted)
        return self.made[key]

    def _constant_as(self, name: str, wanted: int) -> str:
        values = np.asarray(numpy_helper.to_array(self.initializers[name]), np.float32)
        if wanted == TensorProto.FLOAT:
            return self._constant(f"{name}.fp32", values)
        largest = float(np.abs(values).max()) if values.size else 0.0
        if not largest <= LARGEST:
            raise ModelError(
                f"{name} holds a value of {largest:g}; FP16 ends at {LARGEST:g}.",
                "Build with --precision fp32, or train with more weight decay.",
            )
        return self._constant(f"{name}.fp16", values.astype(np.float16))

    def _constant(self, name: str, values: NDArray[np.float32] | NDArray[np.float16]) -> str:
        tensor = numpy_helper.from_array(values, name)
        self.initializers[name] = tensor
        self.types[name] = tensor.data_type
        return name

    def _cast(self, source: str, target: str, kind: int) -> None:
        self.nodes.append(helper.make_node("Cast", [source], [target], name=f"{target}.cast", to=kind))
        self.types[target] = kind
