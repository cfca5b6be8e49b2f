"""What is wired to what in an exported graph: producers, consumers, convolutions with their weights and costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN
from fcn_edge.errors import ModelError
from fcn_edge.quantization.shapes import FLOAT, element_types, shapes_at
from fcn_edge.text import printable

__all__ = ["VIEWS", "Conv", "GraphView", "Residual"]

ACTIVATIONS = frozenset({"Clip", "Relu"})
"""Operators that backends fuse into the convolution or sum before them."""

VIEWS = frozenset({"ArgMax", "Cast", "Squeeze", "Unsqueeze"})
"""Operators whose results hold what they read, or no floats: tables leave them out."""


@dataclass(frozen=True)
class Conv:
    """A convolution of a graph.

    Attributes:
        node: Its node; the name is that of the layer.
        input: The tensor that it convolves.
        weight: ``(out, in / groups, kh, kw)`` float32.
        bias: ``(out,)`` float32; None when it has none.
        groups: Groups of channels.
        activation: The Clip or Relu that alone consumes its output; None when there is none.
    """

    node: NodeProto
    input: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    groups: int
    activation: NodeProto | None

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.node.name)

    @property
    def output(self) -> str:
        """What it gives, after the activation where it has one."""
        return str((self.activation or self.node).output[0])

    @property
    def depthwise(self) -> bool:
        """Every channel is convolved on its own."""
        return self.groups > 1 and self.weight.shape[1] == 1

    @property
    def channels(self) -> tuple[int, int]:
        """Input and output channels."""
        return self.weight.shape[1] * self.groups, self.weight.shape[0]


@dataclass(frozen=True)
class Residual:
    """The sum of a residual block.

    Attributes:
        node: The Add.
        output: What it gives, after the Clip or Relu that alone consumes it where there is one.
        inputs: The two tensors that it adds.
        shortcut: The one of them that did not come through the block's own convolutions.
    """

    node: NodeProto
    output: str
    inputs: tuple[str, str]
    shortcut: str


class GraphView:
    """Looks at a graph without changing it.

    Args:
        model: An exported model; its weights may be stored as FP16 behind a Cast.

    Raises:
        ModelError: The graph holds no convolution, not the weights of one, or two of one name.
    """

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        graph = model.graph
        self.initializers: dict[str, TensorProto] = {each.name: each for each in graph.initializer}
        self.producers: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        self.outputs = {value.name for value in graph.output}
        self.convs: tuple[Conv, ...] = tuple(self._conv(node) for node in graph.node if node.op_type == "Conv")
        if not self.convs:
            raise ModelError("The model's graph holds no convolution.", EXPORT_AGAIN)
        names = Counter(conv.name for conv in self.convs)
        name, count = names.most_common(1)[0]
        if count > 1:  # costs, exclusions and the weights of INT8 graphs go by it
            raise ModelError(f"{count} convolutions of the model have the name {printable(name, 80)!r}.", EXPORT_AGAIN)
        self.residuals: tuple[Residual, ...] = tuple(self._residuals())

    @cached_property
    def conv_of(self) -> dict[str, Conv]:
        """Convolutions by the name of what they give, after their activation."""
        return {conv.output: conv for conv in self.convs}

    @cached_property
    def heads(self) -> frozenset[str]:
        """Layers whose results reach the graph's end through no other convolution: the decoder's scores."""
        read: set[str] = set()  # what convolutions read in the end
        for node in reversed(self.model.graph.node):
            if node.op_type == "Conv" or read.intersection(node.output):
                read.update(node.input)
        return frozenset(conv.name for conv in self.convs if conv.node.output[0] not in read)

    def activations(self) -> tuple[str, ...]:
        """What convolutions take, and the float tensors that are computed from it, in the graph's order."""
        types = element_types(self.model)
        inputs = {conv.node.output[0]: conv.input for conv in self.convs}
        known: set[str] = set()
        found: dict[str, None] = {}
        for node in self.model.graph.node:
            taken = inputs.get(node.output[0]) if node.output else None
            if taken is not None and taken not in known:  # the image as it enters the network, in each of its branches
                known.add(taken)
                found[taken] = None
            if known.intersection(node.input):
                known.update(name for name in node.output if name)
                if node.op_type not in VIEWS:
                    floats = (name for name in node.output if types.get(name, FLOAT) == FLOAT and name)
                    found.update(dict.fromkeys(floats))
        return tuple(found)

    def macs(self, size: tuple[int, int]) -> dict[str, int]:
        """Multiply-accumulates of each convolution for an image of ``size``, by layer name."""
        shapes = shapes_at(self.model, size)
        return {conv.name: conv.weight.size * math.prod(shapes[conv.node.output[0]][2:]) for conv in self.convs}

    def array(self, name: str) -> NDArray[np.float32] | None:
        """A constant of the graph as float32, also behind a Cast; None where the name is no constant."""
        producer = self.producers.get(name)
        if producer is not None and producer.op_type == "Cast":
            name = producer.input[0]
        if name not in self.initializers:
            return None
        with np.errstate(invalid="ignore"):  # of NaN, which who wants numbers refuses
            return np.asarray(numpy_helper.to_array(self.initializers[name]), np.float32)

    def _residuals(self) -> Iterator[Residual]:
        """The Adds of residual blocks: they sum encoder features, and the decoder's come through a Resize."""
        for node in self.model.graph.node:
            if node.op_type != "Add":
                continue
            kinds = [self.producers[name].op_type if name in self.producers else "" for name in node.input]
            if "Conv" in kinds and "Resize" not in kinds:
                first, second = (str(name) for name in node.input)
                output = (self._activation(node) or node).output[0]
                yield Residual(node, str(output), (first, second), self._shortcut(first, second))

    def _shortcut(self, first: str, second: str) -> str:
        """The input of a residual Add that did not come through the block's own convolutions."""
        shared = [len(self.consumers[name]) > 1 for name in (first, second)]
        if shared[0] == shared[1]:
            # where a block changes the width, both are convolutions that nothing else reads; the shortcut's reads the
            # block's input, which the block's first convolution shares
            shared = [self._reads_shared(name) for name in (first, second)]
        return second if shared[1] and not shared[0] else first

    def _reads_shared(self, name: str) -> bool:
        producer = self.producers.get(name)
        return producer is not None and len(producer.input) > 0 and len(self.consumers[producer.input[0]]) > 1

    def _activation(self, node: NodeProto) -> NodeProto | None:
        after = self.consumers.get(node.output[0], [])
        alone = len(after) == 1 and node.output[0] not in self.outputs
        return after[0] if alone and after[0].op_type in ACTIVATIONS else None

    def _conv(self, node: NodeProto) -> Conv:
        weight = self.array(node.input[1]) if len(node.input) > 1 else None
        if weight is None:
            raise ModelError(f"The weights of {node.name} are not in the model's file as constants.", EXPORT_AGAIN)
        bias = self.array(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        groups = next((int(each.i) for each in node.attribute if each.name == "group"), 1)
        self._check_conv(node, weight, bias, groups)
        return Conv(node, str(node.input[0]), weight, bias, groups, self._activation(node))

    def _check_conv(
        self, node: NodeProto, weight: NDArray[np.float32], bias: NDArray[np.float32] | None, groups: int
    ) -> None:
        """Hold a convolution to what images are convolved with, which ``onnx.checker`` does not."""
        name, what = node.name or node.output[0], ""
        if not (np.isfinite(weight).all() and (bias is None or np.isfinite(bias).all())):
            raise ModelError(
                f"{name} has weights that are NaN or infinite.",
                "Export its checkpoint again; if that has such weights too, its training diverged.",
            )
        if weight.ndim != 4 or weight.size == 0:
            what = f"weights of shape {weight.shape}; (out, in, height, width), none of them 0, was"
        elif groups < 1 or weight.shape[0] % groups:
            what = f"{groups} groups for {weight.shape[0]} channels; a divisor of them was"
        elif self.array(str(node.input[0])) is not None:
            what = "a constant in the place of an image; what the network computes was"
        elif len(node.input) > 2 and node.input[2] and bias is None:
            what = "a bias that is no constant of the model's file; one was"
        elif bias is not None and bias.shape != (weight.shape[0],):
            what = f"a bias of shape {bias.shape} for {weight.shape[0]} channels; one number a channel was"
        if what:
            raise ModelError(f"{name} has {what} expected.", EXPORT_AGAIN)
