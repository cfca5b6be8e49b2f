"""Shapes of what nodes give, as far as the file tells: every axis of a network on the DLA has a fixed length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from fcn_edge.artifacts.onnx_nodes import Node
from fcn_edge.backends.tensorrt.dla.windows import Shape, Window

__all__ = ["Numbers", "output_shape", "resize_scales"]

Numbers = tuple[float, ...]

_SAME = frozenset(
    {
        *("Abs", "BatchNormalization", "Cast", "Celu", "Clip", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp"),
        *("Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN", "LeakyRelu", "Log"),
        *("LogSoftmax", "Mish", "Neg", "QuantizeLinear", "Reciprocal", "Relu", "Selu", "Sigmoid", "Softmax"),
        *("Softplus", "Sqrt", "Tanh", "ThresholdedRelu"),
    }
)
_TOGETHER = frozenset(
    {"Add", "Div", "Equal", "Greater", "Less", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where"}
)


def output_shape(
    node: Node, inputs: Sequence[Shape | None], values: Sequence[Numbers | None], window: Window | None
) -> Shape | None:
    """Shape of a node's first output; None where it is not known.

    Args:
        node: The node.
        inputs: Shapes of what it takes; None for what is left out or not known.
        values: Numbers of its inputs, of those that are small constants.
        window: The window that it slides, where it does.
    """
    image = inputs[0] if inputs else None
    operator = node.operator
    if operator in _TOGETHER:
        return _together([shape for name, shape in zip(node.inputs, inputs, strict=True) if name])
    if image is None:
        return None
    if operator in _SAME:
        return image
    try:
        if window is not None:
            shape = _slid(operator, image, inputs[1] if len(inputs) > 1 else None, window)
        else:
            made = _MADE.get(operator)
            shape = None if made is None else made(node, image, values, inputs)
    except (IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None  # numbers that do not fit together: a library will say so, nothing is computed here
    return None if shape is None or min(shape, default=1) < 1 else shape


def _together(shapes: Sequence[Shape | None]) -> Shape | None:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return None
    rank = max(map(len, known))
    axes = zip(*((1,) * (rank - len(shape)) + shape for shape in known), strict=True)
    lengths = [set(axis) - {1} for axis in axes]
    return None if any(len(axis) > 1 for axis in lengths) else tuple(axis.pop() if axis else 1 for axis in lengths)


def _slid(operator: str, image: Shape, weight: Shape | None, window: Window) -> Shape | None:
    batch, channels, *sides = image
    if len(sides) != len(window.kernel):
        return None
    if operator == "Conv":
        return None if weight is None else (batch, weight[0], *window.sides(sides))
    if operator == "ConvTranspose":
        return None if weight is None else (batch, weight[1] * window.groups, *window.transposed_sides(sides))
    return (batch, channels, *window.sides(sides))


Make = Callable[[Node, Shape, Sequence[Numbers | None], Sequence[Shape | None]], Shape | None]


def _concat(node: Node, image: Shape, _: Sequence[Numbers | None], inputs: Sequence[Shape | None]) -> Shape | None:
    axis = _axis(node, len(image), 0)
    if any(shape is None or len(shape) != len(image) for shape in inputs):
        return None
    return (*image[:axis], sum(shape[axis] for shape in inputs if shape is not None), *image[axis + 1 :])


def _flatten(node: Node, image: Shape, *_: object) -> Shape:
    axis = _axis(node, len(image), 1) if node.numbers.get("axis", (1,))[0] < len(image) else len(image)
    return math.prod(image[:axis]), math.prod(image[axis:])


def _gemm(node: Node, image: Shape, _: Sequence[Numbers | None], inputs: Sequence[Shape | None]) -> Shape | None:
    other = inputs[1]
    rows, columns = (bool(node.numbers.get(name, (0,))[0]) for name in ("transA", "transB"))
    return None if other is None else (image[1 if rows else 0], other[0 if columns else 1])


def _matmul(_: Node, image: Shape, __: Sequence[Numbers | None], inputs: Sequence[Shape | None]) -> Shape | None:
    other = inputs[1]
    return None if other is None or len(other) != 2 else (*image[:-1], other[1])


def _pad(_: Node, image: Shape, values: Sequence[Numbers | None], __: object) -> Shape | None:
    pads = values[1] if len(values) > 1 else None
    if pads is None or len(pads) != 2 * len(image):
        return None
    return tuple(int(side + before + behind) for side, before, behind in _thirds(image, pads))


def _thirds(image: Shape, pads: Numbers) -> zip[tuple[int, float, float]]:
    return zip(image, pads[: len(image)], pads[len(image) :], strict=True)


def _reshape(node: Node, image: Shape, values: Sequence[Numbers | None], _: object) -> Shape | None:
    wanted = values[1]
    if wanted is None:
        return None
    keeps = not node.numbers.get("allowzero", (0,))[0]
    sides = [image[axis] if side == 0 and keeps else int(side) for axis, side in enumerate(wanted)]
    if -1 in sides:
        sides[sides.index(-1)] = math.prod(image) // -math.prod(sides)
    return tuple(sides)


def resize_scales(node: Node, rank: int, given: Numbers | None) -> Numbers | None:
    """The scales of a Resize along all axes of its image, also where it names some; None where they are not told."""
    axes = node.numbers.get("axes")
    if given is None or axes is None:
        return given
    named = dict(zip((int(axis) % rank for axis in axes), given, strict=True))
    return tuple(named.get(axis, 1) for axis in range(rank))


def _resize(node: Node, image: Shape, values: Sequence[Numbers | None], _: object) -> Shape | None:
    scales, sizes = ((values[place] if len(values) > place else None) for place in (2, 3))
    if sizes is not None:
        axes = node.numbers.get("axes", range(len(image)))
        named = dict(zip((int(axis) % len(image) for axis in axes), map(int, sizes), strict=True))
        return tuple(named.get(axis, side) for axis, side in enumerate(image))
    scales = resize_scales(node, len(image), scales)
    if scales is None or len(scales) != len(image):
        return None
    return tuple(math.floor(side * scale) for side, scale in zip(image, scales, strict=True))


def _slice(_: Node, image: Shape, values: Sequence[Numbers | None], __: object) -> Shape | None:
    starts, ends = values[1], values[2]
    if starts is None or ends is None:
        return None
    axes = values[3] if len(values) > 3 and values[3] is not None else range(len(starts))
    steps = values[4] if len(values) > 4 and values[4] is not None else (1,) * len(starts)
    sides = list(image)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        sides[int(axis)] = len(range(image[int(axis)])[slice(int(start), int(end), int(step))])
    return tuple(sides)


def _squeeze(node: Node, image: Shape, values: Sequence[Numbers | None], _: object) -> Shape:
    gone = _axes(node, values, len(image))
    left = [side for axis, side in enumerate(image) if axis not in gone]
    return tuple(left if gone else (side for side in image if side != 1))


def _unsqueeze(node: Node, image: Shape, values: Sequence[Numbers | None], _: object) -> Shape | None:
    new = values[1] if len(values) > 1 else node.numbers.get("axes")
    if new is None:
        return None
    rank = len(image) + len(new)
    places = {int(axis) % rank for axis in new}
    if len(places) < len(new):
        return None
    sides = iter(image)
    return tuple(1 if axis in places else next(sides) for axis in range(rank))


def _transpose(node: Node, image: Shape, *_: object) -> Shape:
    order = node.numbers.get("perm", tuple(reversed(range(len(image)))))
    return tuple(image[int(axis)] for axis in order)


def _reduced(node: Node, image: Shape, values: Sequence[Numbers | None], _: object) -> Shape:
    axes = _axes(node, values, len(image)) or set(range(len(image)))
    keeps = node.numbers.get("keepdims", (1,))[0]
    return tuple(1 if axis in axes else side for axis, side in enumerate(image) if keeps or axis not in axes)


def _arg(node: Node, image: Shape, *_: object) -> Shape:
    axis = _axis(node, len(image), 0)
    keeps = node.numbers.get("keepdims", (1,))[0]
    return (*image[:axis], *((1,) if keeps else ()), *image[axis + 1 :])


def _pooled(_: Node, image: Shape, *__: object) -> Shape:
    return (*image[:2], *(1 for _ in image[2:]))


_MADE: dict[str, Make] = {
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    "Concat": _concat,
    "Flatten": _flatten,
    "Gemm": _gemm,
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _pooled),
    "MatMul": _matmul,
    "Pad": _pad,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduced),
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}


def _axis(node: Node, rank: int, default: int) -> int:
    return int(node.numbers.get("axis", (default,))[0]) % rank


def _axes(node: Node, values: Sequence[Numbers | None], rank: int) -> set[int]:
    axes = values[1] if len(values) > 1 else node.numbers.get("axes")
    return {int(axis) % rank for axis in axes or ()}
