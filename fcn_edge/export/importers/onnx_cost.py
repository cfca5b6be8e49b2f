"""What another program's network may cost, known before it runs.

The size of every tensor must follow from the image's size, and be one that can be computed. ONNX's shape inference
knows most of them; where a size is computed in ways that it does not follow (in floating point, say, as PyTorch did
for upsampling), that small part of the graph is run alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper, shape_inference

from fcn_edge.artifacts.spec import Size
from fcn_edge.artifacts.weights import shown
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.onnx_file import ForeignOnnx, set_size
from fcn_edge.export.importers.onnx_weights import AGAIN

__all__ = ["check_cost"]

MOST_VALUES = 1 << 29
"""Of one tensor while the network runs: 2 GiB of floats."""

MOST_IN_SHAPES = 1 << 12
"""Values of a tensor that sizes are computed from."""

LEAST_ROUNDS, MOST_NODE_ROUNDS = 16, 200_000
"""How often shapes are inferred again, and for how many nodes in all."""

MOST_AT_ONCE = 64
"""Nodes whose shapes are looked after between two of those times."""

_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}

Shapes = dict[str, tuple[int, ...]]


def check_cost(file: ForeignOnnx, size: Size, output: str) -> None:
    """Check that no tensor of a network at a size is too large to compute.

    Args:
        file: The network's file.
        size: ``(height, width)`` of its image.
        output: The tensor that it is to give.

    Raises:
        ModelError: One is too large, sizes contradict one another, or one is known only when the network runs.
    """
    model = _without_weights(file, size, output)
    graph = model.graph
    for _ in range(LEAST_ROUNDS + MOST_NODE_ROUNDS // max(1, len(graph.node))):
        try:
            inferred = shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
        except Exception as error:
            raise _contradiction(file, size) from error
        shapes = _shapes_of(inferred.graph)
        for name, sides in shapes.items():
            if math.prod(sides) > MOST_VALUES:
                raise ModelError(
                    f"{file.path} computes more than {MOST_VALUES} values in one tensor, {shown(name)}, which is too "
                    "large.",
                    "Give a smaller --size.",
                )
        if not (left := _open_nodes(graph, shapes)):
            return
        if not _settle(file, graph, shapes):
            break
    try:
        shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:
        raise _contradiction(file, size) from error
    node = left[0]
    raise ModelError(
        f"{file.path} has a tensor, {shown(node.output[0])} of {shown(node.op_type)}, whose size is known only when it "
        "runs; sizes that follow from the image's were expected.",
        "Export it again at one fixed size, without steps that pick or sort out values.",
    )


def _contradiction(file: ForeignOnnx, size: Size) -> ModelError:
    return ModelError(
        f"{file.path} has shapes that do not fit together for an image of {size[0]}x{size[1]}.",
        f"Give a --size that it was made for. {AGAIN}",
    )


def _open_nodes(graph: GraphProto, shapes: Shapes) -> list[NodeProto]:
    """Nodes that give tensors of shapes which are not known."""
    return [node for node in graph.node if any(name and name not in shapes for name in node.output)]


def _without_weights(file: ForeignOnnx, size: Size, output: str) -> ModelProto:
    """The part of a graph that an output is made of, with shapes only in place of all but the smallest weights.

    What the file itself says of the sizes between is left out: it need not be so.
    """
    needed, nodes = {output}, []
    for node in reversed(file.model.graph.node):
        if needed & set(node.output):
            needed.update(name for name in node.input if name)
            nodes.append(node)
    model = ModelProto(ir_version=max(file.model.ir_version, 4))
    model.opset_import.extend(file.model.opset_import)
    graph = model.graph
    graph.node.extend(reversed(nodes))
    graph.input.append(ValueInfoProto(name=file.image.name))
    set_size(model, file.image, size)
    graph.output.append(ValueInfoProto(name=output))
    for tensor in file.model.graph.initializer:
        if tensor.name not in needed:
            continue
        if math.prod(tensor.dims) <= MOST_IN_SHAPES:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return model


def _shapes_of(graph: GraphProto) -> Shapes:
    """The shapes that are known; those of weights, too."""
    shapes: Shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in kind.shape.dim):
            shapes[value.name] = tuple(dim.dim_value for dim in kind.shape.dim)
    return shapes


def _settle(file: ForeignOnnx, graph: GraphProto, shapes: Shapes) -> bool:
    """Put values in place of the nodes that decide shapes which are not known, in place; whether there are such."""
    producers = {name: node for node in graph.node for name in node.output if name}
    deciding: dict[int, NodeProto] = {}
    for node in _open_nodes(graph, shapes)[:MOST_AT_ONCE]:
        deciding.update((id(made), made) for name in node.input if (made := producers.get(name)) is not None)
    settled: set[str] = set()
    for node in deciding.values():
        names = [name for name in node.output if name]
        part = _part_for(names, graph, shapes)
        values = _values(file, part, names) if part is not None else None
        if values is not None:
            settled.update(names)
            graph.initializer.extend(map(numpy_helper.from_array, values, names))
    kept = [node for node in graph.node if not settled & set(node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    return bool(settled)


def _part_for(names: Sequence[str], graph: GraphProto, shapes: Shapes) -> GraphProto | None:
    """The graph that computes tensors from small constants and known shapes alone; None where it takes more."""
    part, needed = GraphProto(name="part"), set(names)
    nodes: list[NodeProto] = []
    for node in reversed(graph.node):
        if not needed & set(node.output):
            continue
        if node.op_type in ("Shape", "Size") and node.input[0] in shapes:
            part.initializer.append(numpy_helper.from_array(_sides(node, shapes[node.input[0]]), node.output[0]))
            continue
        if node.op_type in _RANDOM or not all(_small(each, shapes) for each in node.output if each):
            return None
        nodes.append(node)
        needed.update(name for name in node.input if name)
    part.node.extend(reversed(nodes))
    part.initializer.extend(tensor for tensor in graph.initializer if tensor.name in needed)
    made = {tensor.name for tensor in part.initializer} | {name for node in part.node for name in node.output}
    if needed - made:
        return None
    part.output.extend(ValueInfoProto(name=name) for name in names)
    return part


def _small(name: str, shapes: Shapes) -> bool:
    return name in shapes and math.prod(shapes[name]) <= MOST_IN_SHAPES


def _sides(node: NodeProto, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """What Shape or Size gives."""
    if node.op_type == "Size":
        return np.array(math.prod(shape), np.int64)
    bounds = {attribute.name: int(attribute.i) for attribute in node.attribute}
    return np.array(shape[bounds.get("start", 0) : bounds.get("end", len(shape))], np.int64)


def _values(file: ForeignOnnx, part: GraphProto, names: Sequence[str]) -> list[NDArray[Any]] | None:
    """What a part of a graph gives; None where it does not run, as the network then would not."""
    model = ModelProto(ir_version=max(file.model.ir_version, 4))
    model.opset_import.extend(file.model.opset_import)
    model.graph.CopyFrom(part)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [np.asarray(value) for value in session.run(list(names), {})]
    except Exception:  # its classes differ between versions
        return None
