"""What the graph of an ONNX file takes, gives and holds, read without the onnx package.

Field numbers are those of ``GraphProto``, ``NodeProto``, ``TensorProto``, ``ValueInfoProto`` and
``TensorShapeProto`` in the ONNX specification (onnx.proto).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.onnx_header import FileState, damaged_onnx, opened_onnx
from fcn_edge.artifacts.protobuf import Buffer, WireError, fields, numbers
from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import ModelError, UsageError

__all__ = ["UINT8", "Graph", "Value", "check_batch", "check_size", "checked_graph", "graph_of_onnx"]

GRAPH, OPSET_IMPORT = 7, 8
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12
OPERATOR = 4
DIMS, DATA_TYPE, TENSOR_NAME, DATA_LOCATION = 1, 2, 8, 14
VALUE_NAME, VALUE_TYPE, TENSOR_TYPE, ELEMENT_TYPE, SHAPE, DIMENSION, DIM_VALUE, DIM_NAME = 1, 2, 1, 1, 2, 1, 1, 2

UINT8 = 2
"""ONNX's number of the element type uint8."""

MOST_DIMENSIONS = 32
"""Of a tensor; the product of many would take minutes."""

_WEIGHT_TYPES = frozenset({1, 2, 3, 10, 11, 16})
"""float32, uint8, int8, float16, float64, bfloat16; the other types hold shapes and indices."""


@dataclass(frozen=True)
class Value:
    """An input or output of a graph.

    Attributes:
        name: What the graph calls it.
        element: ONNX's number of the element type; 0 when it is not a tensor.
        shape: Along each axis a length, or the name of one that is open (empty when it has none).
    """

    name: str
    element: int
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Graph:
    """What an ONNX file's graph takes, gives and holds.

    Attributes:
        opset: Version of ONNX's own operators.
        inputs: Its inputs, without the weights.
        outputs: Its outputs.
        operators: How often each operator occurs in the main graph.
        parameters: Number of weights.
        external: Some weights are kept in another file.
    """

    opset: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operators: dict[str, int]
    parameters: int
    external: bool

    @property
    def batch(self) -> int:
        """Images that it takes at once: the first of four axes of its input; 1 where there are three, 0 where open."""
        lead = self.inputs[0].shape[0] if self.inputs and len(self.inputs[0].shape) == 4 else 1
        return lead if isinstance(lead, int) else 0

    @property
    def sides(self) -> tuple[int | str, ...]:
        """Height and width of the images, as lengths or as names of what is open."""
        return self.inputs[0].shape[-3:-1]


def graph_of_onnx(path: Path, state: FileState | None = None) -> Graph:
    """What the graph of an ONNX file takes, gives and holds.

    Args:
        path: The file.
        state: The state that it must have; any when left out.

    Raises:
        ModelError: The file is missing, not a whole ONNX file, or not in that state.
    """
    with opened_onnx(path, state) as buffer:
        try:
            opset, graph = 0, None
            for number, start, end in fields(buffer, 0, len(buffer)):
                if number == GRAPH:
                    graph = start, end
                elif number == OPSET_IMPORT:
                    parts = {field: (a, b) for field, a, b in fields(buffer, start, end)}
                    domain = _text(buffer, *parts[1]) if 1 in parts else ""
                    if domain in ("", "ai.onnx") and 2 in parts:
                        opset = next(numbers(buffer, *parts[2]))
            if graph is None:
                raise WireError
            return _graph(buffer, *graph, opset)
        except (WireError, UnicodeDecodeError, StopIteration) as error:
            raise damaged_onnx(path) from error


def checked_graph(path: Path, *, batches: bool = False) -> Graph:
    """The graph of an ONNX file that a backend can run: one uint8 ``(H, W, 3)`` image in, one tensor out.

    Args:
        path: The file.
        batches: The backend also takes graphs of several images at once, ``(N, H, W, 3)`` with a fixed N.

    Raises:
        ModelError: The file is missing or damaged, or its graph takes or gives something else, or its weights are kept
            in another file, which no digest would cover.
    """
    graph = graph_of_onnx(path)
    if graph.external:
        raise ModelError(
            f"{path} keeps weights in another file; one whole file was expected.",
            "Export it again with fcn-edge export.",
        )
    image = graph.inputs[0] if len(graph.inputs) == 1 else None
    single = image is not None and len(image.shape) == 3
    if image is None or image.element != UINT8 or image.shape[-1:] != (3,) or not (single or graph.batch > 1):
        raise ModelError(
            f"{path} does not take one uint8 image (height, width, 3).", "Export the checkpoint with fcn-edge export."
        )
    if not single and not batches:
        raise ModelError(
            f"{path} takes {graph.batch} images at once; a graph that takes one was expected.",
            "Build it from the model without --batch.",
        )
    if len(graph.outputs) != 1:
        raise ModelError(
            f"{path} has {len(graph.outputs)} outputs; scores or labels alone were expected.",
            "Export the checkpoint with fcn-edge export.",
        )
    return graph


def check_size(path: Path, graph: Graph, size: Size) -> None:
    """Check that a graph takes images of a size.

    Args:
        path: The ONNX file, for the message.
        graph: What ``checked_graph`` says of it.
        size: ``(height, width)``.

    Raises:
        UsageError: It takes images of another size only.
    """
    fixed = graph.sides
    if any(isinstance(axis, int) and axis != side for axis, side in zip(fixed, size, strict=True)):
        raise UsageError(
            f"{path} takes {fixed[0]}x{fixed[1]} images (height x width) only; {size[0]}x{size[1]} was asked for.",
            "Export the checkpoint with fcn-edge export: its files take every size.",
        )


def check_batch(path: Path, graph: Graph, batch: int) -> None:
    """Check that a graph takes a number of images at once.

    Args:
        path: The ONNX file, for the message.
        graph: What ``checked_graph`` says of it.
        batch: The number.

    Raises:
        UsageError: It takes another number.
    """
    if graph.batch != batch:
        raise UsageError(
            f"{path} takes {graph.batch} image{'s' * (graph.batch > 1)} at once; {batch} was asked for.",
            "fcn-edge build MODEL --batch N makes a graph of the model that takes N.",
        )


def _graph(buffer: Buffer, start: int, end: int, opset: int) -> Graph:
    operators: Counter[str] = Counter()
    inputs: list[Value] = []
    outputs: list[Value] = []
    weights: set[str] = set()
    parameters, external = 0, False
    for number, a, b in fields(buffer, start, end):
        if number == NODE:
            operators.update(_text(buffer, c, d) for field, c, d in fields(buffer, a, b) if field == OPERATOR)
        elif number == INITIALIZER:
            name, elements, elsewhere = _weight(buffer, a, b)
            weights.add(name)
            parameters += elements
            external |= elsewhere
        elif number == INPUT:
            inputs.append(_value(buffer, a, b))
        elif number == OUTPUT:
            outputs.append(_value(buffer, a, b))
    # older files list their weights among the inputs too
    free = tuple(value for value in inputs if value.name not in weights)
    return Graph(opset, free, tuple(outputs), dict(operators.most_common()), parameters, external)


def _weight(buffer: Buffer, start: int, end: int) -> tuple[str, int, bool]:
    """Name of an initializer, its number of weights, and whether they are in another file."""
    name, element, elsewhere = "", 0, False
    dims: list[int] = []
    for number, a, b in fields(buffer, start, end):
        if number == DIMS:
            dims.extend(numbers(buffer, a, b))
        elif number == DATA_TYPE:
            element = next(numbers(buffer, a, b))
        elif number == TENSOR_NAME:
            name = _text(buffer, a, b)
        elif number == DATA_LOCATION:
            elsewhere = next(numbers(buffer, a, b)) == 1
    if len(dims) > MOST_DIMENSIONS:
        raise WireError
    return name, math.prod(dims) if element in _WEIGHT_TYPES else 0, elsewhere


def _value(buffer: Buffer, start: int, end: int) -> Value:
    name, element = "", 0
    shape: list[int | str] = []
    for number, a, b in fields(buffer, start, end):
        if number == VALUE_NAME:
            name = _text(buffer, a, b)
        elif number == VALUE_TYPE:
            for field, c, d in fields(buffer, a, b):
                if field != TENSOR_TYPE:
                    continue
                for part, e, f in fields(buffer, c, d):
                    if part == ELEMENT_TYPE:
                        element = next(numbers(buffer, e, f))
                    elif part == SHAPE:
                        shape += [_dimension(buffer, g, h) for axis, g, h in fields(buffer, e, f) if axis == DIMENSION]
    return Value(name, element, tuple(shape))


def _dimension(buffer: Buffer, start: int, end: int) -> int | str:
    for number, a, b in fields(buffer, start, end):
        if number == DIM_VALUE:
            return next(numbers(buffer, a, b))
        if number == DIM_NAME:
            return _text(buffer, a, b)
    return ""


def _text(buffer: Buffer, start: int, end: int) -> str:
    return bytes(buffer[start:end]).decode()
