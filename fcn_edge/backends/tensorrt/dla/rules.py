"""Which layers the DLA of an Orin takes, and why it does not take others: TensorRT's documented rules, as a table.

Read at the source:

* convolutions, transposed ones, poolings, LRN, concatenation, element-wise and unary operations, softmax: the comments
  "If executing this layer on DLA" in ``include/NvInfer.h`` of TensorRT 10 (github.com/NVIDIA/TensorRT);
* resizing, slices and softmax: the same in the docstrings of the Python bindings ``tensorrt_cu12_bindings`` 10.3.0;
* batch, lengths, fixed sizes, parametric ReLU: "DLA Supported Layers and Restrictions" of TensorRT 11.4
  (docs.nvidia.com, inference-library/dla-layer-restrictions.html), "General Restrictions" and table 12, as far as
  excerpts show them;
* which ONNX operator becomes which layer: ``operators/README.md`` of github.com/NVIDIA/Deep-Learning-Accelerator-SW, of
  the time of TensorRT 8.5. It has no Min, which NvInfer.h and table 12 have.

From notes that quote NVIDIA's pages, which were not read themselves:

* the bounds of Clip (1 to 127), no negative slopes, no square kernels and steps of 23 to 32 in transposed convolutions,
  what scale layers scale: "DLA Supported Layers" in the developer guide of TensorRT 8;
* "DLA does not support Explicit Quantization": "Working with DLA" of TensorRT 8 to 10.

Where a rule leaves room, the narrower reading stands: what is said to be taken should be. NVIDIA's own answer, on a
board, is ``IBuilderConfig.can_run_on_DLA``.
"""

from __future__ import annotations

from collections.abc import Callable

from fcn_edge.backends.tensorrt.dla.layers import Layer
from fcn_edge.backends.tensorrt.dla.shapes import resize_scales
from fcn_edge.backends.tensorrt.dla.windows import Shape

__all__ = ["reason_against"]

MOST_BATCH = 4096
LONGEST = 8192
"""Of an axis beside the batch: channels, height, width."""

_KERNEL, _STRIDE, _DILATION, _PADDING = 32, 8, 32, 31
_POOL, _POOL_STRIDE, _POOL_PADDING = 8, 16, 7
_LINES = (64, 96, 128)
"""Long sides that a transposed convolution's kernel or step of width 1 may have."""

_SLOW = range(23, 33)
"""Square kernels and steps of transposed convolutions that TensorRT keeps from the DLA."""

_CLIP = (1, 127)
_SCALES = {"nearest": 32, "linear": 4}
_NEAREST = {
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
}
_FLAT = ("Gemm", "MatMul")
_LRN = (3, 5, 7, 9)
_SOFTMAX = 1024


def reason_against(layer: Layer) -> str:
    """Why the DLA does not take a layer, as a phrase about it; empty where the rules let it."""
    operator = layer.node.operator
    if operator in ("QuantizeLinear", "DequantizeLinear") or layer.dequantized:
        return "explicit quantization (Q/DQ pairs), which TensorRT 10 does not take to the DLA"
    rule = _RULES.get(operator)
    if rule is None:
        return _NOT_TAKEN.get(operator, f"there is no {operator} on the DLA")
    try:
        return _against_sizes(layer) or rule(layer)
    except (ArithmeticError, IndexError, TypeError, ValueError):  # the door of ONNX files does not compare them
        return "its numbers do not fit together"


def _against_sizes(layer: Layer) -> str:
    computed = [shape for shape, constant in zip(layer.inputs, layer.constant, strict=True) if not constant]
    for shape in (*computed, layer.output):
        if shape is None:
            return "its sizes are not told by the file"
        if len(shape) != 4 and not (len(shape) == 2 and layer.node.operator in _FLAT):
            return f"it works on {len(shape)} axes; batch, channels, height and width were expected"
        if shape[0] > MOST_BATCH:
            return f"a batch of {shape[0]}; {MOST_BATCH} at most was expected"
        if max(shape[1:]) > LONGEST:
            return f"an axis of {max(shape[1:])}; {LONGEST} at most was expected"
    return ""


def _convolution(layer: Layer) -> str:
    window = layer.window
    if not layer.constant[1]:
        return _COMPUTED_WEIGHTS
    if window is None or len(window.kernel) != 2:
        return _NOT_2D
    image = layer.inputs[0] or ()
    padding = window.padded_for(image[2:])
    return (
        _beyond("a kernel", window.kernel, 1, _KERNEL)
        or _beyond("a step", window.strides, 1, _STRIDE)
        or _beyond("a dilation", window.dilations, 1, _DILATION)
        or _beyond("a padding", padding, 0, _PADDING)
        or _beyond("groups", (window.groups,), 1, LONGEST)
        or (
            f"a padding of {_sides(padding)} with a kernel of {_sides(window.kernel)}; less was expected"
            if any(pad >= side for pad, side in zip(padding, window.kernel, strict=True))
            else ""
        )
    )


def _transposed(layer: Layer) -> str:
    window = layer.window
    if not layer.constant[1]:
        return _COMPUTED_WEIGHTS
    if window is None or len(window.kernel) != 2:
        return _NOT_2D
    if window.automatic or any((*window.begin, *window.end, *window.extra)) or "output_shape" in layer.node.numbers:
        return "a transposed convolution with padding; none was expected"
    if window.groups != 1:
        return f"a transposed convolution of {window.groups} groups; one was expected"
    if set(window.dilations) != {1}:
        return "a transposed convolution with dilation; none was expected"
    for what, sides in (("kernel", window.kernel), ("step", window.strides)):
        long = 1 in sides and max(sides) in _LINES
        if max(sides) > _KERNEL and not long:
            return f"a {what} of {_sides(sides)}; sides of 1 to {_KERNEL}, or 1x64, 1x96, 1x128, were expected"
        if sides[0] == sides[1] and sides[0] in _SLOW:
            return (
                f"a square {what} of {_sides(sides)} in a transposed convolution; TensorRT keeps 23 to 32 off the DLA"
            )
    return ""


def _pooling(layer: Layer) -> str:
    window = layer.window
    if window is None or len(window.kernel) != 2:
        return _NOT_2D
    if set(window.dilations) != {1}:
        return "a pooling with dilation; none was expected"
    image = layer.inputs[0] or ()
    return (
        _beyond("a window", window.kernel, 1, _POOL)
        or _beyond("a step", window.strides, 1, _POOL_STRIDE)
        or _beyond("a padding", window.padded_for(image[2:]), 0, _POOL_PADDING)
    )


def _clip(layer: Layer) -> str:
    given = layer.node.numbers
    low, high = (
        layer.values[place] if len(layer.inputs) > place else given.get(name)
        for place, name in ((1, "min"), (2, "max"))
    )
    if not low or not high:
        return "a Clip without two bounds that the file tells"
    if low[0] != 0 or not _CLIP[0] <= high[0] <= _CLIP[1]:
        return f"a Clip to {low[0]:g} to {high[0]:g}; from 0 to a bound of {_CLIP[0]} to {_CLIP[1]} was expected"
    return ""


def _leaky(layer: Layer) -> str:
    slope = layer.node.numbers.get("alpha", (0.01,))[0]
    return f"a slope of {slope:g}; none below 0 was expected" if slope < 0 else ""


def _parametric(layer: Layer) -> str:
    slope = layer.inputs[1]
    if not layer.constant[1]:
        return "its slopes are computed; constant ones were expected"
    ranks = [0 if shape is None else len(shape) for shape in (slope, layer.inputs[0])]
    return "" if ranks[0] == ranks[1] else "slopes of another number of axes than what they work on"


def _element_wise(layer: Layer) -> str:
    if len(layer.inputs) == 1:
        return ""
    whole = layer.output
    assert whole is not None  # its sizes were looked at
    for shape in layer.inputs:
        if shape is None:
            return "its sizes are not told by the file"
        sides = (1,) * (len(whole) - len(shape)) + shape
        if sides not in (whole, (*sides[:2], 1, 1)):
            return f"it spreads {_sides(shape)} on {_sides(whole)}; whole images, channels or one number were expected"
    return ""


def _concatenation(layer: Layer) -> str:
    if len(layer.inputs) < 2:
        return "a Concat of one tensor; two or more were expected"
    axis = int(layer.node.numbers.get("axis", (0,))[0]) % 4
    return "" if axis == 1 else "a Concat along another axis than the channels"


def _resize(layer: Layer) -> str:
    words, values = layer.node.texts, layer.values
    mode = words.get("mode", "nearest")
    where = words.get("coordinate_transformation_mode", "half_pixel")
    scales = resize_scales(layer.node, 4, values[2] if len(values) > 2 else None)
    if len(layer.inputs) > 3 and layer.node.inputs[3]:
        return "a Resize to a size; one by scales was expected"
    if mode not in _SCALES:
        return f"a Resize of mode {mode}; nearest or linear were expected"
    if any(layer.node.numbers.get(name, (0,))[0] for name in ("antialias", "exclude_outside")):
        return "a Resize with antialiasing, or that leaves out what is outside"
    if mode == "linear" and where not in ("half_pixel", "pytorch_half_pixel"):
        return f"a linear Resize of {where} coordinates; half_pixel was expected"
    rounding = words.get("nearest_mode", "round_prefer_floor")
    if mode == "nearest" and (where, rounding) not in _NEAREST:
        return f"a nearest Resize of {where} coordinates and {rounding}; asymmetric and floor were expected"
    return _against_scales(scales, mode)


def _upsample(layer: Layer) -> str:
    # of opset 9: its coordinates are asymmetric, and it rounds down
    mode = layer.node.texts.get("mode", "nearest")
    if mode != "nearest":
        return "a linear Resize of asymmetric coordinates; half_pixel was expected"
    return _against_scales(layer.values[1] if len(layer.values) > 1 else layer.node.numbers.get("scales"), mode)


def _against_scales(scales: tuple[float, ...] | None, mode: str) -> str:
    if scales is None:
        return "a Resize whose scales the file does not tell"
    if len(scales) != 4 or scales[:2] != (1, 1):
        return "a Resize of other axes than height and width"
    most = _SCALES[mode]
    if any(scale != int(scale) or not 1 <= scale <= most for scale in scales[2:]):
        return f"a {mode} Resize by {_sides(scales[2:])}; whole numbers of 1 to {most} were expected"
    return ""


def _normalization(layer: Layer) -> str:
    return "" if all(layer.constant[1:]) else "its scales are computed; constant ones were expected"


def _response(layer: Layer) -> str:
    size = int(layer.node.numbers.get("size", (0,))[0])
    return "" if size in _LRN else f"a window of {size} channels; 3, 5, 7 or 9 was expected"


def _softmax(layer: Layer) -> str:
    shape = layer.output or ()
    axis = int(layer.node.numbers.get("axis", (-1,))[0]) % len(shape)
    if axis == 0:
        return "a Softmax along the batch"
    alone = all(side == 1 for place, side in enumerate(shape) if place not in (0, axis))
    most = LONGEST if alone else _SOFTMAX
    return "" if shape[axis] <= most else f"a Softmax over {shape[axis]}; {most} at most was expected"


def _slice(layer: Layer) -> str:
    if not all(layer.constant[1:]):
        return "a Slice whose ends are computed; constant ones were expected"
    steps = layer.values[4] if len(layer.values) > 4 and layer.node.inputs[4] else (1,)
    if steps is None or set(steps) != {1}:
        return "a Slice with steps; none were expected"
    image, output = layer.inputs[0] or (), layer.output or ()
    return "" if image[0] == output[0] else "a Slice of the batch"


def _shuffled(layer: Layer) -> str:
    image, output = layer.inputs[0] or (), layer.output or ()
    order = layer.node.numbers.get("perm", (0,))
    return "" if image[0] == output[0] and order[0] == 0 else "it moves the batch axis"


def _multiplied(layer: Layer) -> str:
    return "" if layer.constant[1] else "its second factor is computed; a constant one was expected"


def _nothing(_: Layer) -> str:
    return ""


_COMPUTED_WEIGHTS = "its weights are computed; constant ones were expected"
_NOT_2D = "it does not work on height and width alone"

_RULES: dict[str, Callable[[Layer], str]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    **dict.fromkeys(("MaxPool", "AveragePool"), _pooling),
    **dict.fromkeys(("Relu", "Sigmoid", "Tanh", "Abs"), _nothing),
    "Clip": _clip,
    "LeakyRelu": _leaky,
    "PRelu": _parametric,
    **dict.fromkeys(("Add", "Sub", "Mul", "Max", "Min", "Sum"), _element_wise),
    "BatchNormalization": _normalization,
    "Concat": _concatenation,
    "Resize": _resize,
    "Upsample": _upsample,
    "LRN": _response,
    "Softmax": _softmax,
    "Slice": _slice,
    **dict.fromkeys(("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"), _shuffled),
    **dict.fromkeys(_FLAT, _multiplied),
}

_NOT_TAKEN = {
    "Cast": "the DLA converts no types; it computes in FP16 and INT8",
    "GlobalAveragePool": "TensorRT makes a mean of it, which the DLA does not take",
    "Div": "TensorRT 10 divides on the GPU",
}
"""What is to be said of operators that are not taken, beside that."""


def _beyond(what: str, sides: Shape, least: int, most: int) -> str:
    fits = all(least <= side <= most for side in sides)
    return "" if fits else f"{what} of {_sides(sides)}; {least} to {most} were expected"


def _sides(sides: tuple[float, ...]) -> str:
    return "x".join(f"{side:g}" for side in sides) or "one number"
