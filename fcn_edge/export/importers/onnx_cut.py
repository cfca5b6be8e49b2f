"""Surgery on other programs' graphs: from their image to ours, and no further than to the class scores."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, version_converter

from fcn_edge.artifacts.spec import ModelSpec, Normalization, Size
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_file import ForeignOnnx, ImageInput
from fcn_edge.export.importers.onnx_names import OURS, rename
from fcn_edge.export.importers.onnx_parts import keep_only
from fcn_edge.export.importers.onnx_tail import Tail, attributes
from fcn_edge.export.importers.onnx_weights import AGAIN

__all__ = ["cut_graph"]

OPSET, IR_VERSION = 20, 9
"""What our own graphs are written in."""

OLDEST_KEPT = 13
"""Squeeze and Unsqueeze take their axes as an input from this opset on, as ours do."""

IMAGE, SCORES, PLANES = OURS
"""What our tensors are called until all get their final names."""


def cut_graph(file: ForeignOnnx, tail: Tail, spec: ModelSpec, classes: int, size: Size | None) -> ModelProto:
    """The part of a network from its image to its scores, as our own graphs are.

    Args:
        file: The network's file; left as it is.
        tail: Where its scores are.
        spec: What the network is: its normalization becomes part of the graph.
        classes: How many it scores.
        size: ``(height, width)`` of the image; None where both stay open.

    Returns:
        A graph from ``image``, ``(H, W, 3)`` uint8 BGR, to ``scores``, ``(classes, rows, columns)`` float32.

    Raises:
        ModelError: Its operators cannot be brought to a version that is supported.
    """
    model = ModelProto()
    model.CopyFrom(file.model)
    graph = model.graph
    _constants_as_initializers(graph)
    keep_only(graph, {tail.scores})
    _prepend_image(graph, file.image, spec.normalization)
    _append_scores(graph, tail)
    _declare(graph, classes, size)
    keep_only(graph, {SCORES})
    model = _current(model, file.path)
    model = _simplified(model, file.path)
    _declare(model.graph, classes, size)
    rename(model)
    _name_sides(model.graph, spec, size)
    return model


def _constants_as_initializers(graph: GraphProto) -> None:
    constants = [node for node in graph.node if node.op_type == "Constant"]
    for node in constants:
        (attribute,) = node.attribute
        value = helper.get_attribute_value(attribute)
        if attribute.name == "value":
            values = numpy_helper.to_array(value)
        elif attribute.name in ("value_float", "value_floats"):
            values = np.array(value, np.float32)
        elif attribute.name in ("value_int", "value_ints"):
            values = np.array(value, np.int64)
        else:
            continue
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)


def _prepend_image(graph: GraphProto, image: ImageInput, normalization: Normalization) -> None:
    """Put the steps from our image to theirs before a graph.

    Standard deviation and channel order go into the first convolution where the image reaches just that. The mean does
    not: a convolution pads with zeros, which stand for the mean color only after the subtraction.
    """
    source, channels_last = image.name, image.layout == "nhwc"
    readers = [node for node in graph.node if source in node.input]
    first = readers[0] if len(readers) == 1 else None
    if channels_last and first is not None and attributes(first).get("perm") == [0, 3, 1, 2]:
        source, channels_last = first.output[0], False
        graph.node.remove(first)
        readers = [node for node in graph.node if source in node.input]
    swap = normalization.color_order == "rgb"
    mean, std = (
        np.array(values[::-1] if swap else values, np.float64) for values in (normalization.mean, normalization.std)
    )
    folded = not channels_last and len(readers) == 1 and _fold(graph, readers[0], source, std, swap=swap)
    steps: list[tuple[str, list[NDArray[Any]], dict[str, Any]]] = [("Cast", [], {"to": TensorProto.FLOAT})]
    if not channels_last:
        steps.append(("Transpose", [], {"perm": [2, 0, 1]}))
    steps.append(("Unsqueeze", [np.array([0], np.int64)], {}))
    shape = [1, 1, 1, 3] if channels_last else [1, 3, 1, 1]
    if mean.any():
        steps.append(("Sub", [mean.astype(np.float32).reshape(shape)], {}))
    if not folded and (std != 1).any():
        steps.append(("Mul", [(1 / std).astype(np.float32).reshape(shape)], {}))
    if not folded and swap:
        steps.append(("Gather", [np.array([2, 1, 0], np.int64)], {"axis": 3 if channels_last else 1}))
    nodes: list[NodeProto] = []
    name = IMAGE
    for operator, values, how in steps:
        output = f"{PLANES}.{operator}"
        constants = [f"{output}.value"] if values else []
        graph.initializer.extend(numpy_helper.from_array(each, f"{output}.value") for each in values)
        nodes.append(helper.make_node(operator, [name, *constants], [output], name=output, **how))
        name = output
    for node in graph.node:
        node.input[:] = [name if each == source else each for each in node.input]
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *own])


def _fold(graph: GraphProto, node: NodeProto, source: str, std: NDArray[np.float64], *, swap: bool) -> bool:
    """Let a first convolution take BGR pixels that were not divided, in float64; whether it can."""
    weight = next((each for each in graph.initializer if node.op_type == "Conv" and each.name == node.input[1]), None)
    if weight is None or node.input[0] != source or weight.dims[1] != 3 or weight.data_type != TensorProto.FLOAT:
        return False
    values = numpy_helper.to_array(weight).astype(np.float64)
    values = (values[:, ::-1] if swap else values) / std.reshape(1, 3, 1, 1)
    shared = sum(weight.name in each.input for each in graph.node) > 1
    name = f"{PLANES}.{weight.name}" if shared else weight.name
    folded = numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)
    if shared:
        graph.initializer.append(folded)
        node.input[1] = name
    else:
        weight.CopyFrom(folded)
    return True


def _append_scores(graph: GraphProto, tail: Tail) -> None:
    """End a graph in ``(classes, rows, columns)``."""
    name = f"{PLANES}.float"
    # for a network that computes in float16 or float64; where it has float32, simplifying takes this away again
    graph.node.append(helper.make_node("Cast", [tail.scores], [name], name=name, to=TensorProto.FLOAT))
    if tail.axis == 3:
        moved = f"{PLANES}.classes_first"
        graph.node.append(helper.make_node("Transpose", [name], [moved], name=moved, perm=[0, 3, 1, 2]))
        name = moved
    axes = f"{PLANES}.batch"
    graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), axes))
    graph.node.append(helper.make_node("Squeeze", [name, axes], [SCORES], name=SCORES))


def _declare(graph: GraphProto, classes: int, size: Size | None) -> None:
    sides: list[Any] = ["h", "w"] if size is None else list(size)
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, [*sides, 3]))
    graph.output.append(helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, [classes, "rows", "columns"]))


def _name_sides(graph: GraphProto, spec: ModelSpec, size: Size | None) -> None:
    """Say what height and width are multiples of, and how many cells there are."""
    geometry, stride = spec.geometry, spec.stride
    rows: list[Any] = ["rows", "columns"]
    if size is not None:
        rows = list(spec.grid_size(size))
    else:
        multiple = geometry.size_multiple
        for dim, name in zip(graph.input[0].type.tensor_type.shape.dim, ("h", "w"), strict=False):
            dim.dim_param = name if multiple == 1 else f"{multiple}*{name}"
        if multiple % stride == 0 and geometry.padding == geometry.extra_cells == 0:
            factor = multiple // stride
            rows = [name if factor == 1 else f"{factor}*{name}" for name in ("h", "w")]
    output = graph.output[0]
    classes = output.type.tensor_type.shape.dim[0].dim_value
    output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, [classes, *rows]))


def _current(model: ModelProto, path: Path) -> ModelProto:
    """The model in the opset of our own graphs, where ONNX's converter knows the way."""
    domain = next(each for each in model.opset_import if each.domain in ("", "ai.onnx"))
    version = domain.version
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", version))
    if version == OPSET:
        return model
    # older files list weights among the inputs, which the converter would look for there
    model.ir_version = max(model.ir_version, 4)
    if version < OPSET:
        try:
            # the older Squeeze and Unsqueeze have their axes as an attribute; ours are written as the newer ones
            converted = version_converter.convert_version(_for_converter(model, version), OPSET)
        except Exception as error:  # it says nothing that a user could act on
            if version < OLDEST_KEPT:
                raise ModelError(
                    f"{path} is of opset {version}, and its operators cannot be brought to {OPSET}.",
                    f"Export it again with opset {OLDEST_KEPT} to {OPSET}.",
                ) from error
        else:
            converted.ir_version = IR_VERSION
            return converted
    model.ir_version = helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    return model


def _for_converter(model: ModelProto, version: int) -> ModelProto:
    """The model with our own Squeeze and Unsqueeze in the form that its opset has."""
    if version >= OLDEST_KEPT:
        return model
    for node in model.graph.node:
        if node.op_type in ("Squeeze", "Unsqueeze") and len(node.input) > 1:
            del node.input[1:]
            node.attribute.append(helper.make_attribute("axes", [0]))
    return model


def _simplified(model: ModelProto, path: Path) -> ModelProto:
    """Constants folded, BatchNorm taken into convolutions and idle nodes gone, by ONNX Runtime's basic optimization.

    What it leaves is plain ONNX, for every backend.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "simplified.onnx"
        options.optimized_model_filepath = str(target)
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
        except Exception as error:
            raise ModelError(f"{path} does not run in ONNX Runtime.", AGAIN) from error
        simplified = ModelProto()
        simplified.ParseFromString(target.read_bytes())
    used = {node.domain or "" for node in simplified.graph.node}
    kept = [each for each in simplified.opset_import if each.domain in used and each.domain != "ai.onnx"]
    versions = [helper.make_opsetid("", each.version) for each in kept if not each.domain]
    if used - {""} or not versions:
        return model
    del simplified.opset_import[:]
    simplified.opset_import.extend(versions)
    simplified.ir_version = model.ir_version
    return simplified
