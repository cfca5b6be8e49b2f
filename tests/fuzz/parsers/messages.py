"""Protobuf messages damaged in their structure: numbers, texts, and what is listed, in any message of any depth."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from ..damages import BYTES, EXTREMES_64, WORDS

__all__ = ["ONNX"]

WHOLE = {3: 64, 4: 64, 5: 32, 13: 32}
"""Bits of the kinds of fields that are whole numbers, by protobuf's number."""
TEXT, MESSAGE, DATA, CHOICE = 9, 11, 12, 14
UNSIGNED = (4, 13)


OPERATORS = ("Loop", "If", "Scan", "ConstantOfShape", "Expand", "Tile", "NonZero", "SequenceConstruct", "Einsum", "Add")
"""That take any number of inputs, give any size, or hold graphs."""


def nodes_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A node of an ONNX file that takes another tensor, perhaps of behind itself, or is of another operator."""
    from onnx import ModelProto, TensorProto, helper

    model = ModelProto.FromString(whole)
    nodes = model.graph.node
    node = chance.choice(nodes)
    tensors = [name for each in nodes for name in (*each.input, *each.output)]
    what = chance.random()
    if what < 0.5 and node.input:
        node.input[chance.randrange(len(node.input))] = chance.choice(tensors)
    elif what < 0.6:
        node.op_type = chance.choice(OPERATORS)
    elif what < 0.7:
        node.output[0] = chance.choice(tensors)
    elif what < 0.85:
        # between two nodes: a shape of the file's choice, to be filled
        shape = [chance.choice((1, 3, 1 << 16, 1 << 31, 1 << 40)) for _ in range(chance.choice((1, 2, 4)))]
        nodes.insert(0, helper.make_node("ConstantOfShape", ["sides"], ["filled"]))
        nodes.insert(1, helper.make_node("ReduceSum", ["filled"], ["sum"]))
        model.graph.initializer.append(helper.make_tensor("sides", TensorProto.INT64, [len(shape)], shape))
        node.input.append("sum")
    else:
        inner = helper.make_graph(list(nodes), "inner", [], list(model.graph.output))
        branches = {"then_branch": inner, "else_branch": inner}
        nodes.append(helper.make_node("If", [chance.choice(tensors)], ["chosen"], **branches))
    damaged: bytes = model.SerializeToString()
    return damaged


def onnx_damaged(whole: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """An ONNX file damaged in its structure, which stays a message."""
    from onnx import ModelProto

    model = ModelProto.FromString(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        message_damaged(model, chance)
    damaged: bytes = model.SerializeToString()
    return damaged


def message_damaged(message: Any, chance: random.Random, names: Sequence[str] = ()) -> None:
    """Change one field of a message or of one in it, in place; ``names`` are those that others may take too."""
    messages = list(_messages(message, 6))
    places = [(each, field) for each in messages for field, _ in each.ListFields()]
    if not places:
        return
    names = names or sorted({name for each in messages for name in _texts(each)})
    holder, field = chance.choice(places)
    values = getattr(holder, field.name)
    if not hasattr(values, "__len__") or isinstance(values, str | bytes):
        if field.type == MESSAGE or chance.random() < 0.1:
            holder.ClearField(field.name)
        else:
            setattr(holder, field.name, _value(values, field, names, chance))
    else:
        _change_list(values, field, names, chance)


def _change_list(values: Any, field: Any, names: Sequence[str], chance: random.Random) -> None:
    place = chance.randrange(len(values))
    what = chance.random()
    if what < 0.25:
        del values[place]
    elif what < 0.45:
        other = chance.randrange(len(values))
        copies = [_copy(values[other]) for _ in range(chance.choice((1, 1, 2, 200)))]
        values.extend(copies)
    elif what < 0.6:
        everything = [_copy(each) for each in values]
        chance.shuffle(everything)
        del values[:]
        values.extend(everything)
    elif field.type != MESSAGE:
        values[place] = _value(values[place], field, names, chance)
    else:
        message_damaged(values[place], chance, names)


def _copy(value: Any) -> Any:
    if not hasattr(value, "CopyFrom"):
        return value
    copy = type(value)()
    copy.CopyFrom(value)
    return copy


def _value(value: Any, field: Any, names: Sequence[str], chance: random.Random) -> Any:
    if field.type in WHOLE:
        bits = WHOLE[field.type]
        number = chance.choice((*EXTREMES_64, value + 1, max(0, value - 1), value * 2)) & (1 << bits) - 1
        return number if field.type in UNSIGNED or number < 1 << bits - 1 else number - (1 << bits)
    if field.type == CHOICE:
        return chance.choice(list(field.enum_type.values_by_number))
    if field.type == TEXT:
        # names of other tensors, nodes and operators make cycles, shadows and doubles
        word = chance.choice(names) if names and chance.random() < 0.7 else chance.choice(WORDS)
        return word.encode("utf-8", "replace").decode()
    if field.type == DATA:
        return chance.choice(
            (b"", value[:-1], value + b"\0", value * 2, bytes(len(value)), b"\xff" * len(value), b"\xff")
        )
    return chance.choice((0.0, -1.0, 1e30, float("inf"), float("nan")))


def _texts(message: Any) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.type == TEXT:
            yield from [value] if isinstance(value, str) else value


def _messages(message: Any, depth: int) -> Iterator[Any]:
    yield message
    if depth:
        for field, value in message.ListFields():
            if field.type == MESSAGE:
                for each in value if hasattr(value, "__len__") else (value,):
                    yield from _messages(each, depth - 1)


ONNX = (*BYTES, *(onnx_damaged, onnx_damaged, nodes_damaged) * 2)
