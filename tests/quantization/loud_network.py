"""An FCN whose activations are as loud as one wants, with what networks have between their image and their scores."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto

from .graphs import SmallGraph

WIDE = 16
"""Channels that the profile for TensorRT quantizes."""

SPREAD = {"weight": (WIDE, 1, 1, 1), "bias": (WIDE,)}


def loud_network(loudness: float, *, offset: int = 0) -> ModelProto:
    """An FCN with two heads: a residual sum of ``loudness``, pooled for the deeper one, and transposed convolutions.

    All biases weigh as much as what they are added to.
    """
    random = np.random.default_rng(1)
    graph = SmallGraph()

    def conv(name: str, taken: str, outputs: int, inputs: int, gain: float, bias: float, **how: object) -> str:
        weight = random.normal(0, 1, (outputs, inputs, 8, 8) if inputs == 3 else (outputs, inputs, 1, 1))
        scale = gain / np.sqrt(np.prod(weight.shape[1:]))
        return graph.conv(name, taken, weight * scale, random.normal(0, bias, outputs), **how)

    if offset:
        graph.node("Sub", ["planes", graph.constant("mean", np.full((1, 3, 1, 1), offset, np.float32))], "centered")
    conv("first", "centered" if offset else "planes", WIDE, 3, loudness / 150, loudness / 3, strides=[8, 8])
    graph.node("Relu", "first", "relu1")
    conv("second", "relu1", WIDE, WIDE, 1, loudness / 3)
    graph.node("Add", ["relu1", "second"], "sum")
    graph.node("Relu", "sum", "relu2")
    graph.node("MaxPool", "relu2", "pool", kernel_shape=[2, 2], strides=[2, 2])
    conv("third", "pool", WIDE, WIDE, 1 / loudness, 0.3)
    graph.node("Relu", "third", "relu3")
    spread = [graph.constant(f"spread.{name}", np.ones(shape, np.float32)) for name, shape in SPREAD.items()]
    graph.node("ConvTranspose", ["relu3", *spread], "spread", group=WIDE)
    conv("deep", "spread", 2, WIDE, 1, 0.3)
    up = graph.constant("up.weight", np.ones((2, 1, 2, 2), np.float32))
    graph.node("ConvTranspose", ["deep", up], "up", strides=[2, 2], group=2)
    conv("skip", "relu2", 2, WIDE, 1 / loudness, 0.3)
    graph.node("Add", ["up", "skip"], "added")
    return graph.model("added")
