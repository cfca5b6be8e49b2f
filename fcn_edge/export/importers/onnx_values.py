"""Small tensors that a graph computes from its constants and from shapes: the sizes of others, mostly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto, numpy_helper

__all__ = ["MOST_IN_SHAPES", "Shapes", "computed"]

MOST_IN_SHAPES = 64
"""Values of a tensor that sizes are computed from."""

MOST_NODES = 2_000
"""That one of them is computed by."""

_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}

Shapes = dict[str, tuple[int, ...]]


def computed(
    names: Sequence[str],
    producers: Mapping[str, NodeProto],
    shapes: Shapes,
    values: dict[str, NDArray[Any]],
    opsets: Sequence[OperatorSetIdProto],
) -> bool:
    """Compute tensors in ONNX Runtime, where that takes small tensors and known shapes alone.

    Args:
        names: The tensors.
        producers: The node that makes each tensor of the graph.
        shapes: The shapes that are known.
        values: The tensors whose values are known; those that are found are added.
        opsets: Of the graph's operators.

    Returns:
        Whether any was found.
    """
    found = False
    for name in names:
        part = _part_for(name, producers, shapes, values)
        value = _run(part, name, values, opsets) if part is not None else None
        if value is not None:
            values[name], found = value, True
    return found


def _part_for(
    name: str, producers: Mapping[str, NodeProto], shapes: Shapes, values: dict[str, NDArray[Any]]
) -> list[NodeProto] | None:
    """The nodes that compute a tensor, in order; None where it is known, large, or made of more than small tensors."""
    nodes: list[NodeProto] = []
    seen: set[str] = set()
    # a name is visited twice: to go below it, and to put its node after those below
    waiting = [(name, False)]
    while waiting:
        current, below = waiting.pop()
        if below:
            nodes.append(producers[current])
        elif current not in seen and current not in values:
            seen.add(current)
            node = producers.get(current)
            if node is None or len(seen) > MOST_NODES or node.op_type in _RANDOM or not _small(node, shapes):
                return None
            if node.op_type in ("Shape", "Size"):
                values[current] = _sides(node, shapes[node.input[0]])
                continue
            seen.update(node.output)
            waiting.append((current, True))
            waiting.extend((each, False) for each in node.input if each)
    return nodes


def _small(node: NodeProto, shapes: Shapes) -> bool:
    return all(name in shapes and math.prod(shapes[name]) <= MOST_IN_SHAPES for name in node.output if name)


def _sides(node: NodeProto, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """What Shape or Size gives."""
    if node.op_type == "Size":
        return np.array(math.prod(shape), np.int64)
    bounds = {attribute.name: int(attribute.i) for attribute in node.attribute}
    return np.array(shape[bounds.get("start", 0) : bounds.get("end", len(shape))], np.int64)


def _run(
    nodes: Sequence[NodeProto], name: str, values: dict[str, NDArray[Any]], opsets: Sequence[OperatorSetIdProto]
) -> NDArray[Any] | None:
    """The value of a tensor; None where its nodes do not run, as the network then would not."""
    if not nodes:
        return values.get(name)
    model = ModelProto(ir_version=8)
    model.opset_import.extend(opsets)
    model.graph.name = "part"
    model.graph.node.extend(nodes)
    given = {each for node in nodes for each in node.input if each in values}
    model.graph.initializer.extend(numpy_helper.from_array(values[each], each) for each in sorted(given))
    model.graph.output.append(ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
        return np.asarray(session.run([name], {})[0])
    except Exception:  # its classes differ between versions
        return None
