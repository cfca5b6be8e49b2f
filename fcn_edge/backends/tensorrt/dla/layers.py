"""The layers of a network as a builder for the DLA sees them: constants folded, every length fixed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.artifacts.onnx_parts import GraphParts
from fcn_edge.artifacts.onnx_tensors import Tensor
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.tensorrt.dla.shapes import Numbers, output_shape
from fcn_edge.backends.tensorrt.dla.windows import Shape, Window, window_of

__all__ = ["Layer", "layers_of"]

_PASSES_ON = frozenset({"Identity", "Dropout"})
"""What TensorRT takes out of a network."""

_BUILD_TIME = frozenset({"Shape", "Size"})
"""What is known once every length is fixed."""

_WEIGHED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Layer:
    """A node that works on what the network computes.

    Attributes:
        node: The ONNX node.
        inputs: Shapes of what it takes; None for what is left out or not known.
        constant: Which of them are known when the network is built; what is left out is, too.
        values: Their numbers, of small constants.
        output: Shape of its first output; None where it is not known.
        window: The window that it slides, where it does.
        before: The layers that give what it takes, by their place in the list.
        dequantized: It takes what a DequantizeLinear gives of activations.
    """

    node: Node
    inputs: tuple[Shape | None, ...]
    constant: tuple[bool, ...]
    values: tuple[Numbers | None, ...]
    output: Shape | None
    window: Window | None
    before: tuple[int, ...]
    dequantized: bool = False

    @property
    def name(self) -> str:
        """What the file calls the node, or what it gives."""
        return self.node.name or next(filter(None, self.node.outputs), "")

    @property
    def macs(self) -> int:
        """Multiplications with accumulation for the images that it takes at once; 0 where they are not known."""
        weight = self.inputs[1] if len(self.inputs) > 1 else None
        if self.node.operator not in _WEIGHED or weight is None or self.inputs[0] is None or self.output is None:
            return 0
        if self.node.operator == "Conv":
            return math.prod(weight[1:]) * math.prod(self.output)
        if self.node.operator == "ConvTranspose":
            return math.prod(weight[1:]) * math.prod(self.inputs[0])
        turned = self.node.operator == "Gemm" and bool(self.node.numbers.get("transA", (0,))[0])
        return math.prod(self.output) * self.inputs[0][0 if turned else -1]


@dataclass
class _Known:
    """What is known of tensors so far, by their names."""

    constants: dict[str, Tensor | None]
    shapes: dict[str, Shape | None]
    makers: dict[str, int] = field(default_factory=dict)
    dequantized: set[str] = field(default_factory=set)

    def shape(self, name: str) -> Shape | None:
        constant = self.constants.get(name)
        return self.shapes.get(name) if constant is None else constant.dims

    def values(self, name: str) -> Numbers | None:
        constant = self.constants.get(name)
        return None if constant is None else constant.values

    def hand_on(self, source: str, name: str) -> None:
        """Know of a tensor what is known of another one."""
        self.shapes[name] = self.shapes.get(source)
        if source in self.makers:
            self.makers[name] = self.makers[source]
        if source in self.dequantized:
            self.dequantized.add(name)


def layers_of(parts: GraphParts, size: Size) -> tuple[Layer, ...]:
    """The layers of a graph that takes images, in the order in which they run.

    Args:
        parts: The graph, whose nodes stand behind what they take.
        size: ``(height, width)`` of the images.
    """
    known = _Known(
        {tensor.name: tensor for tensor in parts.weights},
        {value.name: _fixed(value.shape, size) for value in parts.inputs},
    )
    layers: list[Layer] = []
    for node in parts.nodes:
        if _is_folded(node, known):
            continue
        source = node.inputs[0] if node.inputs else ""
        if node.operator in _PASSES_ON:
            known.hand_on(source, node.outputs[0])
            continue
        layers.append(_layer(node, known))
        known.shapes |= dict.fromkeys(node.outputs)
        known.shapes[node.outputs[0]] = layers[-1].output
        known.makers |= {name: len(layers) - 1 for name in node.outputs if name}  # one that is left out has none
        if node.operator == "DequantizeLinear":
            known.dequantized.add(node.outputs[0])
    return tuple(layers)


def _layer(node: Node, known: _Known) -> Layer:
    inputs, values = tuple(map(known.shape, node.inputs)), tuple(map(known.values, node.inputs))
    window = window_of(node, inputs[1] if len(inputs) > 1 else None) if _slides(node) else None
    return Layer(
        node=node,
        inputs=inputs,
        constant=tuple(not name or name in known.constants for name in node.inputs),
        values=values,
        output=output_shape(node, inputs, values, window),
        window=window,
        before=tuple(sorted({known.makers[name] for name in node.inputs if name in known.makers})),
        dequantized=any(name in known.dequantized for name in node.inputs),
    )


def _is_folded(node: Node, known: _Known) -> bool:
    """Whether a node gives what is known when the network is built; then that is noted."""
    constant = node.constant
    if constant is None and node.operator not in _BUILD_TIME:
        if not all(name in known.constants for name in node.inputs if name) or not any(node.inputs):
            return False
        constant = _computed(node, known)
    known.constants |= dict.fromkeys(node.outputs)
    known.constants[node.outputs[0]] = constant
    return True


def _computed(node: Node, known: _Known) -> Tensor | None:
    """A constant made of others; None where neither its shape nor its numbers are known."""
    first = known.constants.get(node.inputs[0])
    if first is not None and node.operator in ("Cast", "Identity"):
        return first
    shapes, values = list(map(known.shape, node.inputs)), list(map(known.values, node.inputs))
    shape = output_shape(node, shapes, values, None)
    return None if first is None or shape is None else replace(first, dims=shape, values=None)


def _slides(node: Node) -> bool:
    return node.operator in ("Conv", "ConvTranspose", "MaxPool", "AveragePool")


def _fixed(shape: Sequence[int | str], size: Size) -> Shape | None:
    """Shape of the images, their sides fixed; None of something else."""
    lead, channels = shape[:-3], shape[-1:]
    fixed = (*lead, *size, *channels)
    lengths = tuple(side for side in fixed if isinstance(side, int))
    return lengths if len(lengths) == len(fixed) == len(shape) else None
