"""Crops to another tensor's size, for images of every size: what a trace at one size writes down as numbers."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from fcn_edge.errors import ModelError

__all__ = ["open_crops"]

HEIGHT = 2
"""Axis of the rows in ``(N, C, H, W)``; that of the columns comes after it."""


def open_crops(model: ModelProto) -> None:
    """Let slices with fixed ends take their ends from the tensor that they are cropped to, in place.

    A network that pads its input crops its skips to the size of the scores that they are added to, and, where its last
    upsampling is part of the graph, its scores to the size of the image. Those ends depend on the image's size: they
    become the sides of that tensor, plus the offset.

    Args:
        model: A graph from ``image``, whose images become ``(1, 3, H, W)`` in an Unsqueeze. A slice along the rows
            with an end beyond zero is one half of a crop, the slice of its result along the columns the other.

    Raises:
        ModelError: A slice has a form that no crop has.
    """
    graph = model.graph
    numbers = {each.name: numpy_helper.to_array(each) for each in graph.initializer if each.data_type == 7}
    found = 0
    for node in [node for node in graph.node if node.op_type == "Slice"]:
        start, end, axis = (int(numbers[name][0]) for name in node.input[1:4])
        if axis != HEIGHT or end <= 0:
            continue
        across = _only_reader(graph, node)
        if across is None or across.op_type != "Slice":
            raise ModelError(f"{node.name} crops rows and no columns; a crop of both was expected.", "Report this.")
        offsets = [start, int(numbers[across.input[1]][0])]
        _write(graph, node, across, offsets, f"crop_{found}")
        found += 1
    _drop_unread(graph)


def _drop_unread(graph: GraphProto) -> None:
    """Take out the fixed ends, which nothing reads any more."""
    read = {name for node in graph.node for name in node.input}
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in read:
            del graph.initializer[index]


def _write(graph: GraphProto, down: NodeProto, across: NodeProto, offsets: list[int], name: str) -> None:
    """Put the nodes of an open crop in the place of two slices."""
    source, output = down.input[0], across.output[0]
    graph.initializer.extend(
        (
            helper.make_tensor(f"{name}.offsets", 7, [2], offsets),
            helper.make_tensor(f"{name}.axes", 7, [2], [HEIGHT, HEIGHT + 1]),
        )
    )
    like = _cropped_to(graph, across)
    nodes = [
        helper.make_node("Shape", [like], [f"{name}.sides"], name=f"{name}.sides", start=HEIGHT, end=HEIGHT + 2),
        helper.make_node("Add", [f"{name}.sides", f"{name}.offsets"], [f"{name}.ends"], name=f"{name}.ends"),
        helper.make_node("Slice", [source, f"{name}.offsets", f"{name}.ends", f"{name}.axes"], [output], name=name),
    ]
    order = list(graph.node)
    # the tensor that tells the size may come later than the slice that is cropped to it
    at = max(order.index(across), next((i for i, node in enumerate(order) if like in node.output), 0))
    order[at + 1 : at + 1] = nodes
    del graph.node[:]
    graph.node.extend(node for node in order if node is not down and node is not across)


def _cropped_to(graph: GraphProto, crop: NodeProto) -> str:
    """The tensor whose size a crop takes: what it is added to, else the image."""
    reader = _only_reader(graph, crop)
    if reader is not None and reader.op_type == "Add":
        return str(next(name for name in reader.input if name != crop.output[0]))
    return str(next(node.output[0] for node in graph.node if node.op_type == "Unsqueeze"))


def _only_reader(graph: GraphProto, node: NodeProto) -> NodeProto | None:
    readers = [other for other in graph.node if node.output[0] in other.input]
    return readers[0] if len(readers) == 1 else None
