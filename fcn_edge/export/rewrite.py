"""Small changes to an ONNX graph, each in place on a ``ModelProto``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from fcn_edge.artifacts.onnx_header import SPEC_KEY
from fcn_edge.artifacts.spec import ModelSpec
from fcn_edge.errors import ModelError, UsageError

__all__ = ["add_labels_head", "open_size", "require_operators", "set_spec", "store_weights_as_fp16", "tidy"]

IMAGE, SCORES, LABELS = "image", "scores", "labels"

ANOTHER_PYTORCH = "Use the PyTorch version that fcn_edge was tested with, or report this."

WRAPPER = "network."
"""What ``DeployedNetwork`` puts before the names of a network's parameters."""

SMALL_WEIGHT = 1 << 14
"""Values of a weight, below which it is not worth rounding."""


def tidy(model: ModelProto, parameters: Collection[str]) -> None:
    """Give nodes and tensors names of their own layers, and drop what the exporter wrote down about its machine.

    A convolution and its output are called as its layer (``encoder.features.0.0``), other nodes by operator and
    number (``clip_3``), other constants by number. So the same network always gives the same bytes, wherever it is
    exported, and tables and logs name tensors in words that a reader of the network knows.

    Args:
        model: A graph from ``image`` to ``scores``.
        parameters: Names of the initializers that are weights of the network; these keep their names.
    """
    graph = model.graph
    names = {name: name.removeprefix(WRAPPER) for name in (IMAGE, SCORES, *parameters)}
    constants = [initializer.name for initializer in graph.initializer if initializer.name not in names]
    names.update({name: f"constant_{number}" for number, name in enumerate(constants)})
    count: Counter[str] = Counter()
    for node in graph.node:
        kind = node.op_type.lower()
        weighs = node.op_type in ("Conv", "ConvTranspose")
        layer = names[node.input[1]].removesuffix(".weight") if weighs else f"{kind}_{count[kind]}"
        count[kind] += 1
        node.name = layer
        names.setdefault(node.output[0], layer)
    for node in graph.node:
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] for name in node.output]
        _forget_origin(node)
    for initializer in graph.initializer:
        initializer.name = names[initializer.name]
        _forget_origin(initializer)
    for value in (*graph.input, *graph.output):
        _forget_origin(value)
    del graph.value_info[:]
    graph.name = "fcn"
    _forget_origin(graph)
    _forget_origin(model)


def _forget_origin(part: onnx.ModelProto | onnx.GraphProto | NodeProto | TensorProto | onnx.ValueInfoProto) -> None:
    part.ClearField("doc_string")
    part.ClearField("metadata_props")


def open_size(model: ModelProto, spec: ModelSpec) -> None:
    """Declare height and width of a graph open: ``32*h`` and ``32*w`` for a network that takes multiples of 32.

    The sides of the scores get the names that follow where a network divides its input evenly, as ``4*h``, and
    ``rows`` and ``columns`` where they do not follow so simply.

    Args:
        model: A graph from ``image`` to ``scores`` that holds no size: besides operators that have none, only Resize
            by constant scales.
        spec: What the network is.

    Raises:
        ModelError: The graph resizes to a size.
    """
    graph = model.graph
    constants = {initializer.name for initializer in graph.initializer}
    for node in graph.node:
        if node.op_type == "Resize" and not (len(node.input) == 3 and node.input[2] in constants):
            raise ModelError(
                f"The exported graph resizes to a fixed size at {node.name}; by a factor was expected.", ANOTHER_PYTORCH
            )
    multiple, geometry = spec.geometry.size_multiple, spec.geometry
    for dim, name in zip(graph.input[0].type.tensor_type.shape.dim, ("h", "w"), strict=False):
        dim.dim_param = _times(multiple, name)
    cells = ["rows", "columns"]
    # any part of the multiple gives as many cells as its share: no padding, no remainder
    if multiple % (geometry.unit or spec.stride) == 0 and geometry.padding == geometry.extra_cells == 0:
        cells = [_times(multiple // spec.stride, name) for name in ("h", "w")]
    classes = graph.output[0].type.tensor_type.shape.dim[0].dim_value
    graph.output[0].CopyFrom(helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, [classes, *cells]))


def _times(factor: int, name: str) -> str:
    return name if factor == 1 else f"{factor}*{name}"


def add_labels_head(model: ModelProto, spec: ModelSpec) -> None:
    """Let a graph that gives scores ``(C, rows, columns)`` give the mask ``(H, W)`` uint8 instead.

    Bilinear Resize to the image's size, then the class of the highest score, the lowest id on a tie. The labels are
    cast to float on their way to uint8 because TensorRT makes uint8 of float types only.

    Args:
        model: A graph that ends in a Squeeze of the batch axis.
        spec: What the network is.

    Raises:
        UsageError: Its scores do not lie evenly over the image.
    """
    if not spec.geometry.divides_evenly or spec.geometry.size_multiple % spec.stride:
        raise UsageError(
            f"The scores of {spec.arch} ({spec.family}) do not divide its images evenly: it has no mask at full size "
            "in the graph.",
            "Leave out --head labels: fcn-edge run, evaluate and load() give masks of the frame's size.",
        )
    graph = model.graph
    squeeze = graph.node.pop()
    batch, axes = squeeze.input
    scales = np.array([1, 1, spec.stride, spec.stride], np.float32)
    graph.initializer.append(numpy_helper.from_array(scales, "labels.scales"))
    linear = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Resize", [batch, "", "labels.scales"], "labels.resize", linear),
        ("Squeeze", ["labels.resize", axes], "labels.squeeze", {}),
        ("ArgMax", ["labels.squeeze"], "labels.argmax", {"axis": 0, "keepdims": 0}),
        ("Cast", ["labels.argmax"], "labels.float", {"to": TensorProto.FLOAT}),
        ("Cast", ["labels.float"], LABELS, {"to": TensorProto.UINT8}),
    ]
    for operator, inputs, output, attributes in steps:
        graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
    height, width, _ = graph.input[0].type.tensor_type.shape.dim
    sides = [height.dim_param or height.dim_value, width.dim_param or width.dim_value]
    graph.output[0].CopyFrom(helper.make_tensor_value_info(LABELS, TensorProto.UINT8, sides))


def store_weights_as_fp16(model: ModelProto) -> None:
    """Store the large weights in half the bytes; they are cast to float32 before use.

    Backends fold the casts when they load the model, so that it computes in float32 as before. The small weights stay
    as they are: those of depthwise and early layers are where rounding hurts most, and they hardly add to the file. (A
    trained MobileNetV2 FCN-16s: largest difference of scores 0.009 instead of 0.2, for 6% more bytes.)

    Raises:
        ModelError: A weight is too large for FP16.
    """
    graph = model.graph
    weights = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    casts = []
    for initializer in graph.initializer:
        if initializer.name not in weights:
            continue
        values = numpy_helper.to_array(initializer)
        if values.size < SMALL_WEIGHT:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ModelError(
                f"{initializer.name} holds a weight of {np.abs(values).max():g}; FP16 ends at 65504.",
                "Export with weights in fp32.",
            )
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [initializer.name], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def set_spec(model: ModelProto, spec: ModelSpec) -> None:
    """Make the spec the model's only metadata."""
    helper.set_model_props(model, {SPEC_KEY: spec.to_json()})


def require_operators(model: ModelProto, allowed: Collection[str]) -> None:
    """Check that a graph holds no operators but these, and no sub-graphs or functions.

    Raises:
        ModelError: It does; the message names them.
    """
    other = sorted({node.op_type for node in model.graph.node} - set(allowed))
    other += [function.name for function in model.functions]
    if other:
        raise ModelError(
            f"The exported graph holds {', '.join(other)}; only {', '.join(sorted(allowed))} were expected.",
            ANOTHER_PYTORCH,
        )
