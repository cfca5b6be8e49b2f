"""Which tensors of a graph may be multiplied by a factor together, so that its scores stay what they are.

What ReLU networks compute between their first convolutions and their scores is positively homogeneous: with inputs and
biases times a factor > 0, every result is that times the factor (the equivariance that Nagel et al. 2019, "Data-Free
Quantization Through Weight Equalization and Bias Correction", section 3.2, rescales channels by).
"""

from __future__ import annotations

from onnx import AttributeProto, NodeProto

from fcn_edge.quantization.graph import GraphView

__all__ = ["scalable_tensors"]

IN_THE_FIRST = frozenset(
    "AveragePool ConvTranspose DepthToSpace Dropout Expand Flatten Gather GlobalAveragePool GlobalMaxPool Identity "  # noqa: SIM905
    "LeakyRelu MaxPool PRelu Pad ReduceMax ReduceMean Relu Reshape Resize Slice SpaceToDepth Split Squeeze Tile "
    "Transpose Unsqueeze".split()
)
"""Operators that are homogeneous in their first input; the others are weights, slopes, sizes or places."""

IN_ALL = frozenset({"Add", "Concat", "Max", "Mean", "Min", "Sub", "Sum"})
"""Operators that are homogeneous in all their inputs together."""

OF_NO_VALUES = frozenset({"Shape", "Size"})
"""Operators whose results do not depend on the values of what they read."""


def scalable_tensors(view: GraphView) -> frozenset[str]:
    """What convolutions that read the image give, and all that is computed from it up to the scores' convolutions.

    These convolutions read what no convolution gave, and the scores' are ``GraphView.heads``; where one is the other,
    nothing lies between. Divided by a factor at the former and multiplied by it at the latter, the tensors leave the
    scores as they are.

    Args:
        view: The float graph.

    Returns:
        Names of the tensors; none where an operator between is not homogeneous, or adds what has the factor and what
        has not.
    """
    found: set[str] = set()
    for node in view.model.graph.node:
        taken = [index for index, name in enumerate(node.input) if name in found]
        if node.op_type == "Conv":
            if node.name not in view.heads:
                found.update(node.output)
        elif any(each.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for each in node.attribute):
            return frozenset()  # what a subgraph reads is not among the node's inputs
        elif taken and node.op_type not in OF_NO_VALUES:
            if not _homogeneous(view, node, taken):
                return frozenset()
            found.update(name for name in node.output if name)
    return frozenset() if found & view.outputs else frozenset(found)


def _homogeneous(view: GraphView, node: NodeProto, taken: list[int]) -> bool:
    """Whether a node that is no Conv is homogeneous in those of its inputs that have the factor."""
    operator = node.op_type
    if operator in IN_ALL:
        return len(taken) == len(node.input)
    if operator in ("Mul", "Div"):
        return len(taken) == 1 and _is_constant(view, node, 1 - taken[0]) and (operator == "Mul" or taken == [0])
    if operator not in IN_THE_FIRST or taken != [0]:
        return False
    if operator == "Pad":
        return _attribute(node, "mode", b"constant") != b"constant" or _pads_zeros(view, node)
    if operator == "Resize":  # what lies outside is a number of its own there
        return _attribute(node, "coordinate_transformation_mode", b"half_pixel") != b"tf_crop_and_resize"
    if operator == "ConvTranspose":
        return all(_is_constant(view, node, index) for index in range(1, len(node.input)))
    return True


def _is_constant(view: GraphView, node: NodeProto, index: int) -> bool:
    return node.input[index] == "" or view.array(str(node.input[index])) is not None


def _pads_zeros(view: GraphView, node: NodeProto) -> bool:
    if len(node.input) < 3 or not node.input[2]:
        return True
    value = view.array(str(node.input[2]))
    return value is not None and not bool(value.any())


def _attribute(node: NodeProto, name: str, default: bytes) -> bytes:
    return next((each.s for each in node.attribute if each.name == name), default)
