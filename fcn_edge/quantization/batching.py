"""A graph of one image to one of several at once, which many cameras on one engine can share."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from fcn_edge.artifacts.onnx_graph import EXPORT_AGAIN
from fcn_edge.errors import ModelError

__all__ = ["batch_graph"]

_ALIKE = frozenset(
    "Add AveragePool BatchNormalization Cast Clip Conv ConvTranspose DequantizeLinear Div Elu Gelu Identity "  # noqa: SIM905
    "HardSigmoid HardSwish LeakyRelu MaxPool Mul PRelu QuantizeLinear Relu Sigmoid Softplus Sub Tanh".split()
)
"""Operators that treat every entry of a leading axis alike, and need no change where one is added."""


def batch_graph(model: ModelProto, batch: int) -> None:
    """Let a graph take ``batch`` images at once, in place: ``(batch, H, W, 3)`` in, each image's result out.

    The images' axis takes the place of the one that the graph adds by itself: the Unsqueeze behind the image goes, and
    so does the Squeeze before the output where there is one.

    Args:
        model: A graph of any precision from a uint8 ``(H, W, 3)`` image to one output, which becomes
            ``(batch, ...)``; a leading axis of length 1 that it has becomes that of the images.
        batch: Number of images, >= 1; at 1 the graph stays as it is.

    Raises:
        ModelError: The graph takes something else, or holds an operator that might mix the images.
    """
    if batch == 1:
        return
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1 or len(graph.input[0].type.tensor_type.shape.dim) != 3:
        raise ModelError("The graph does not take one image (height, width, 3) and give one output.", EXPORT_AGAIN)
    _Batching(graph).run(batch)
    del model.graph.value_info[:]


class _Batching:
    """Walks from the image to the output, and knows of each tensor on the way whether it had an axis of images before.

    The *bare* ones had none and get one in front; of the others the axis of length 1 gets longer.
    """

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.constants = {each.name: each for each in graph.initializer}
        self.readers: dict[str, int] = {}
        for node in graph.node:
            for name in node.input:
                self.readers[name] = self.readers.get(name, 0) + 1
        self.bare: dict[str, bool] = {str(graph.input[0].name): True}
        self.dropped: dict[str, str] = {}

    def run(self, batch: int) -> None:
        kept = []
        for node in self.graph.node:
            node.input[:] = [self.dropped.get(name, name) for name in node.input]
            if not self.bare.keys() & set(node.input) or self._kept(node):
                kept.append(node)
        del self.graph.node[:]
        self.graph.node.extend(kept)
        image, output = self.graph.input[0], self.graph.output[0]
        self._declare(output, batch, bare=self._named_output(str(output.name)))
        self._declare(image, batch, bare=True)
        self._drop_unread()

    def _kept(self, node: NodeProto) -> bool:
        """Rewrite a node that reads what comes from the image; False when it is to go."""
        states = {self.bare[name] for name in node.input if name in self.bare}
        bare = states == {True}
        if len(states) > 1:
            raise _refusal(node)
        if (node.op_type == "Unsqueeze" and bare) or (node.op_type == "Squeeze" and not bare):
            source = str(node.input[0])
            if self._axes(node) != [0] or self.readers[source] != 1:
                raise _refusal(node)
            self.bare[source] = not bare
            self.dropped[str(node.output[0])] = source
            self.readers[source] = self.readers.get(str(node.output[0]), 0)
            return False
        if node.op_type == "Transpose":
            _transpose(node, bare=bare)
        elif node.op_type in ("ArgMax", "Concat", "Softmax", "Split"):
            _shift_axis(node, bare=bare)
        elif node.op_type == "Shape":
            if bare or not _looks_past_images(node):
                raise _refusal(node)
            return True  # sides are no images: what is computed of them stays as it is
        elif node.op_type in ("Pad", "Slice"):
            if bare or not self._leaves_images(node):
                raise _refusal(node)
        elif node.op_type == "Resize":
            if bare or not self._scales_no_images(node):
                raise _refusal(node)
        elif node.op_type not in _ALIKE:
            raise _refusal(node)
        self.bare.update(dict.fromkeys(map(str, node.output), bare))
        return True

    def _leaves_images(self, node: NodeProto) -> bool:
        """Whether a Pad or a Slice is along other axes than that of the images."""
        if node.op_type == "Slice":
            axes = self.constants.get(node.input[3]) if len(node.input) > 3 else None
            return axes is not None and bool((numpy_helper.to_array(axes) > 0).all())
        pads = self.constants.get(node.input[1]) if len(node.input) > 1 else None
        if pads is None or (len(node.input) > 3 and node.input[3]):
            return False
        values = numpy_helper.to_array(pads)
        return not values[0] and not values[len(values) // 2]

    def _named_output(self, name: str) -> bool:
        """Let the graph's output keep its name where the node that gave it went; whether it is bare."""
        if name not in self.dropped:
            return self.bare[name]
        source = self.dropped[name]
        for node in self.graph.node:
            node.output[:] = [name if each == source else each for each in node.output]
        return self.bare[source]

    def _declare(self, value: ValueInfoProto, batch: int, *, bare: bool) -> None:
        tensor = value.type.tensor_type
        shape = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
        rest = shape if bare else shape[1:]
        value.CopyFrom(helper.make_tensor_value_info(value.name, tensor.elem_type, [batch, *rest]))

    def _drop_unread(self) -> None:
        """Drop the axes that only nodes read that went."""
        read = {name for node in self.graph.node for name in node.input}
        constants = [each for each in self.graph.initializer if each.name in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend(constants)

    def _axes(self, node: NodeProto) -> list[int] | None:
        """The axes of a Squeeze or Unsqueeze; None where the graph does not hold them."""
        if len(node.input) < 2 or node.input[1] not in self.constants:
            return None
        return [int(axis) for axis in numpy_helper.to_array(self.constants[node.input[1]])]

    def _scales_no_images(self, node: NodeProto) -> bool:
        scales = self.constants.get(node.input[2]) if len(node.input) == 3 else None
        return scales is not None and float(numpy_helper.to_array(scales)[0]) == 1


def _transpose(node: NodeProto, *, bare: bool) -> None:
    order = next((each.ints for each in node.attribute if each.name == "perm"), None)
    if order is None or (not bare and order[0] != 0):
        raise _refusal(node)
    if bare:
        order[:] = [0, *(axis + 1 for axis in order)]


def _shift_axis(node: NodeProto, *, bare: bool) -> None:
    axis = next((each for each in node.attribute if each.name == "axis"), None)
    if axis is None and node.op_type == "Softmax":
        return  # along the last axis, and behind that of the images there is at least one
    if axis is None:
        raise _refusal(node)
    if bare and axis.i >= 0:
        axis.i += 1
    elif not bare and axis.i <= 0 and axis.i != -1:
        raise _refusal(node)


def _looks_past_images(node: NodeProto) -> bool:
    """Whether a Shape tells lengths behind the axis of the images alone."""
    return any(each.name == "start" and each.i > 0 for each in node.attribute)


def _refusal(node: NodeProto) -> ModelError:
    return ModelError(
        f"The graph cannot take several images at once: {node.op_type} {node.name or node.output[0]} might mix them.",
        "Build it without --batch.",
    )
