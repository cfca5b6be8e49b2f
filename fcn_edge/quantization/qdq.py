"""A float graph to one with explicit quantization: QuantizeLinear and DequantizeLinear at the places of a profile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from fcn_edge.quantization.biases import corrected_bias
from fcn_edge.quantization.graph import Conv, GraphView
from fcn_edge.quantization.profiles import Profile, takes
from fcn_edge.quantization.thresholds import Range

__all__ = ["quantize"]

LEAST_SCALE = 1e-6
"""Scales below this lose their digits in FP16 (its subnormals are 6e-8 apart), and parsers refuse a scale of zero."""

LARGEST_BIAS = 2.0**30
"""Steps of an INT32 bias; as many again are left for the products that are added to it."""


def quantize(
    model: ModelProto,
    profile: Profile,
    ranges: Mapping[str, Range],
    *,
    excluded_layers: Collection[str] = (),
    channel_means: Mapping[str, tuple[float, ...]] | None = None,
) -> tuple[str, ...]:
    """Insert Q/DQ into a float32 graph, in place.

    Args:
        model: The graph; its weights may be stored as FP16.
        profile: Where and how.
        ranges: Ranges of every activation that may be quantized, by name of the tensor.
        excluded_layers: Names of layers, and of sums, to leave as they are.
        channel_means: Mean of each channel of what convolutions take, by name of the tensor; biases are corrected with
            them.

    Returns:
        The convolutions whose operands are INT8 now, by layer name.
    """
    view = GraphView(model)
    chosen = [
        conv
        for conv in view.convs
        if conv.name not in excluded_layers and takes(profile, conv, head=conv.name in view.heads)
    ]
    writer = _Writer(view, profile, ranges, channel_means or {})
    for conv in chosen:
        writer.weights(conv)
        writer.activation(conv.input, [conv.node])
        if profile.outputs:
            writer.activation(conv.output, view.consumers.get(conv.output, []))
    names = {conv.name for conv in chosen}
    for residual in view.residuals:
        if residual.node.name in excluded_layers or not ranges.keys() >= {*residual.inputs, residual.output}:
            continue
        # a sum of floats gains nothing from one rounded side
        if any(_layer_before(view, name) in names for name in residual.inputs):
            for name in residual.inputs if profile.sums == "both" else (residual.shortcut,):
                writer.activation(name, [residual.node])
            if profile.outputs:
                writer.activation(residual.output, view.consumers.get(residual.output, []))
    writer.finish()
    return tuple(conv.name for conv in chosen)


def _layer_before(view: GraphView, tensor: str) -> str:
    return view.conv_of[tensor].name if tensor in view.conv_of else ""


class _Writer:
    """Collects the new nodes and constants, then puts them into the graph in order."""

    def __init__(
        self,
        view: GraphView,
        profile: Profile,
        ranges: Mapping[str, Range],
        channel_means: Mapping[str, tuple[float, ...]],
    ) -> None:
        self.view, self.profile, self.ranges, self.channel_means = view, profile, ranges, channel_means
        self.after: dict[str, list[NodeProto]] = {}
        self.first: list[NodeProto] = []
        self.paired: set[str] = set()

    def activation(self, tensor: str, consumers: list[NodeProto]) -> None:
        """Let consumers of a tensor read it through Q/DQ; one pair serves all of them."""
        if tensor not in self.paired:
            self._pair(tensor)
        for node in consumers:
            node.input[:] = [f"{tensor}.dq" if name == tensor else name for name in node.input]

    def weights(self, conv: Conv) -> None:
        """Store a convolution's weights as INT8, one scale an output channel, and its corrected bias."""
        limit = self.profile.weight_limit
        per_channel = np.abs(conv.weight).reshape(conv.weight.shape[0], -1).max(axis=1)
        steps = np.maximum(per_channel / limit, LEAST_SCALE)
        if self.profile.outputs and conv.bias is not None:
            # a bias that INT32 holds only with larger steps: of channels whose input or weights are almost nothing
            steps = np.maximum(steps, np.abs(conv.bias) / (LARGEST_BIAS * self._parameters(conv.input)[0]))
        scale = self._stored(steps)
        quantized = np.clip(np.rint(conv.weight / scale[:, None, None, None]), -limit, limit).astype(np.int8)
        name = f"{conv.name}.weight"
        self._dequantized(name, quantized, scale)
        conv.node.input[1] = f"{name}.dq"
        bias = corrected_bias(conv, quantized * scale[:, None, None, None], self.channel_means)
        if bias is None:
            return
        bias_name = f"{conv.name}.bias"
        if self.profile.outputs:
            total = np.float64(self._parameters(conv.input)[0]) * scale.astype(np.float64)
            counts = np.clip(np.rint(bias / total), -(2**31), 2**31 - 1).astype(np.int32)
            self._dequantized(bias_name, counts, total.astype(np.float32))
            given = f"{bias_name}.dq"
        else:
            self._constant(f"{bias_name}.float", bias)
            given = f"{bias_name}.float"
        del conv.node.input[2:]
        conv.node.input.append(given)

    def finish(self) -> None:
        """Put the nodes into the graph, each after what it reads, and drop constants that nothing reads any more."""
        graph = self.view.model.graph
        nodes = list(self.first)
        for node in graph.node:
            nodes.append(node)
            for output in node.output:
                nodes.extend(self.after.pop(str(output), []))
        del graph.node[:]
        graph.node.extend(nodes)
        _drop_unread(graph)

    def _pair(self, tensor: str) -> None:
        scale, zero = self._parameters(tensor)
        self.paired.add(tensor)
        names = [f"{tensor}.scale", f"{tensor}.zero"]
        self._constant(names[0], scale)
        self._constant(names[1], zero)
        self.after[tensor] = [
            helper.make_node("QuantizeLinear", [tensor, *names], [f"{tensor}.q"], name=f"{tensor}.q"),
            helper.make_node("DequantizeLinear", [f"{tensor}.q", *names], [f"{tensor}.dq"], name=f"{tensor}.dq"),
        ]

    def _stored(self, scale: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Scales as the graph will hold them: rounded to FP16 where it computes in that, so that all agree on them."""
        kind = np.float16 if self.profile.rest == "fp16" else np.float32
        return np.asarray(np.asarray(scale, kind), np.float32)

    def _parameters(self, tensor: str) -> tuple[NDArray[np.float32], NDArray[np.uint8] | NDArray[np.int8]]:
        """Scale and zero point of a tensor, both without axes."""
        span = self.ranges[tensor]
        if self.profile.activations == "int8":
            return self._stored(np.asarray(max(span.amax / 127, LEAST_SCALE))), np.array(0, np.int8)
        scale = self._stored(np.asarray(max((span.high - span.low) / 255, LEAST_SCALE)))
        return scale, np.array(np.clip(np.rint(-span.low / scale), 0, 255), np.uint8)

    def _dequantized(self, name: str, values: NDArray[np.integer[Any]], scale: NDArray[np.float32]) -> None:
        self._constant(f"{name}.q", values)
        self._constant(f"{name}.scale", scale)
        self._constant(f"{name}.zero", np.zeros(scale.shape, values.dtype))
        inputs = [f"{name}.q", f"{name}.scale", f"{name}.zero"]
        self.first.append(helper.make_node("DequantizeLinear", inputs, [f"{name}.dq"], name=f"{name}.dq", axis=0))

    def _constant(self, name: str, values: NDArray[Any]) -> None:
        self.view.model.graph.initializer.append(numpy_helper.from_array(values, name))


def _drop_unread(graph: onnx.GraphProto) -> None:
    kept = {value.name for value in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if kept.intersection(node.output):
            kept.update(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(reversed(nodes))
    initializers = [each for each in graph.initializer if each.name in kept]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
