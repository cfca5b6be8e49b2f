"""What the graph of an ONNX file takes, gives and holds, read without the onnx package.

This is the door of ONNX files from outside: no other library sees one before it has passed here. Libraries trust what
they read, and what goes wrong in them cannot be caught: it ends the process, or never ends. So a file is held to what
networks are, in time and memory that follow from its length.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.geometry import LONGEST_SIDE
from fcn_edge.artifacts.onnx_convolutions import unfit_bias
from fcn_edge.artifacts.onnx_flat import problem_of
from fcn_edge.artifacts.onnx_growth import growing_operator
from fcn_edge.artifacts.onnx_header import FileState, opened_onnx
from fcn_edge.artifacts.onnx_parts import GraphParts, graph_parts
from fcn_edge.artifacts.onnx_tensors import WEIGHT_TYPES
from fcn_edge.artifacts.onnx_values import Value
from fcn_edge.artifacts.spec import MOST_IMAGES, Size
from fcn_edge.errors import ModelError, UsageError

__all__ = [
    "EXPORT_AGAIN",
    "UINT8",
    "Graph",
    "Value",
    "check_batch",
    "check_image",
    "check_runnable",
    "check_size",
    "checked_graph",
    "graph_of_onnx",
]

EXPORT_AGAIN = "Export the checkpoint again with fcn-edge export."

UINT8 = 2
"""ONNX's number of the element type uint8."""

GIVEN = frozenset({1, UINT8, 10})
"""What networks give: float32 or float16 scores, or uint8 labels."""


@dataclass(frozen=True)
class Graph:
    """What an ONNX file's graph takes, gives and holds.

    Attributes:
        opset: Version of ONNX's own operators.
        inputs: Its inputs, without the weights.
        outputs: Its outputs.
        operators: How often each operator occurs in the main graph.
        parameters: Number of weights.
        external: Some values are kept in another file.
        grows: The operator that asks for more memory than any network needs; empty for none.
    """

    opset: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operators: dict[str, int]
    parameters: int
    external: bool
    grows: str = ""

    @property
    def batch(self) -> int:
        """Images that it takes at once: the first of four axes of its input; 1 where there are three, 0 where open."""
        lead = self.inputs[0].shape[0] if self.inputs and len(self.inputs[0].shape) == 4 else 1
        return lead if isinstance(lead, int) else 0

    @property
    def sides(self) -> tuple[int | str, ...]:
        """Height and width of the images, as lengths or as names of what is open."""
        return self.inputs[0].shape[-3:-1]


def graph_of_onnx(path: Path, state: FileState | None = None, fix: str = EXPORT_AGAIN) -> Graph:
    """What the graph of an ONNX file takes, gives and holds.

    Args:
        path: The file.
        state: The state that it must have; any when left out.
        fix: What to do about one that is whole, and no flat list of ONNX's own operators.

    Raises:
        ModelError: The file is missing, not a whole ONNX file, or not in that state; or its graph holds sub-graphs,
            functions, sparse weights, more nodes than any network or operators of others, or has no order, or a
            convolution's bias does not fit.
    """
    with opened_onnx(path, state) as buffer:
        parts = graph_parts(buffer)
    weights = {tensor.name: tensor for tensor in parts.weights}
    if len(weights) < len(parts.weights):
        # of two with one name, each library takes the one it likes
        raise ModelError(f"{path} is damaged: two of its weights have one name.", fix)
    given = weights.keys() | {value.name for value in parts.inputs}
    problem = (
        parts.problem
        or problem_of(parts.nodes, given, [value.name for value in parts.outputs])
        or unfit_bias(parts.nodes, weights)
    )
    if problem:
        raise ModelError(f"{path} {problem}.", fix)
    return Graph(
        opset=parts.opset,
        # older files list their weights among the inputs too
        inputs=tuple(value for value in parts.inputs if value.name not in weights),
        outputs=tuple(parts.outputs),
        operators=dict(Counter(node.operator for node in parts.nodes).most_common()),
        parameters=sum(tensor.count for tensor in parts.weights if tensor.element in WEIGHT_TYPES),
        external=_has_external(parts),
        grows=growing_operator(parts.nodes, weights),
    )


def checked_graph(path: Path, *, batches: bool = False) -> Graph:
    """The graph of an ONNX file that a backend can run: one uint8 ``(H, W, 3)`` image in, one tensor out.

    Args:
        path: The file.
        batches: The backend also takes graphs of several images at once, ``(N, H, W, 3)`` with a fixed N.

    Raises:
        ModelError: The file is missing or damaged, or its graph takes or gives something else, or is not safe to run.
    """
    graph = graph_of_onnx(path)
    check_runnable(path, graph)
    check_image(path, graph, batches=batches)
    return graph


def check_image(path: Path, graph: Graph, *, batches: bool = False) -> None:
    """Check that a graph takes one uint8 ``(H, W, 3)`` image and gives one tensor of scores or labels.

    Args:
        path: The ONNX file, for the message.
        graph: What ``graph_of_onnx`` says of it.
        batches: It may also take several images at once, ``(N, H, W, 3)`` with a fixed N.

    Raises:
        ModelError: It takes or gives something else.
    """
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
    if any(isinstance(side, int) and not 0 < side <= LONGEST_SIDE for side in graph.sides):
        sides = "x".join(map(str, graph.sides))
        raise ModelError(f"{path} takes an image of {sides}; sides of 1 to {LONGEST_SIDE} were expected.", EXPORT_AGAIN)
    if graph.batch > MOST_IMAGES:
        raise ModelError(
            f"{path} takes {graph.batch} images at once; {MOST_IMAGES} at most were expected.",
            "Build it from the model with a smaller --batch.",
        )
    if len(graph.outputs) != 1:
        raise ModelError(
            f"{path} has {len(graph.outputs)} outputs; scores or labels alone were expected.",
            "Export the checkpoint with fcn-edge export.",
        )
    if graph.outputs[0].element not in GIVEN:
        raise ModelError(
            f"{path} gives neither scores, as float32 or float16, nor labels, as uint8.",
            "Export the checkpoint with fcn-edge export.",
        )


def check_runnable(path: Path, graph: Graph) -> None:
    """Check that a graph is all in its file, and asks for no more memory than a network needs.

    Args:
        path: The ONNX file, for the message.
        graph: What ``graph_of_onnx`` says of it.

    Raises:
        ModelError: Its weights are kept in another file, which no digest would cover, or it asks for more.
    """
    if graph.external:
        raise ModelError(f"{path} keeps weights in another file; one whole file was expected.", EXPORT_AGAIN)
    if graph.grows:
        raise ModelError(f"{path} holds {graph.grows} of a size that no network has.", EXPORT_AGAIN)


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


def _has_external(parts: GraphParts) -> bool:
    constants = (tensor for node in parts.nodes for tensors in node.tensors.values() for tensor in tensors)
    return any(tensor.external for tensor in (*parts.weights, *constants))
