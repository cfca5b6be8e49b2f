"""Layers that keep float32 where the builder may choose the types.

In a strongly typed network the graph says in which type each layer computes. In a weakly typed one that is only a wish:
the builder may take FP16 kernels for what the graph keeps in float32, because FP16 cannot hold it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

__all__ = ["keep_float32"]

_NODE = re.compile(r"\[ONNX Layer: (.*?)\]")
_CONSTRAINTS = ("OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS")
"""Builder flags that bind it to what layers ask for, the stricter first."""


def keep_float32(trt: Any, network: Any, config: Any, nodes: Collection[str]) -> int:
    """Bind the builder to float32 in the layers of some nodes.

    Args:
        trt: A library whose networks may be weakly typed.
        network: A network that it parsed.
        config: The builder's configuration.
        nodes: Names of the ONNX nodes.

    Returns:
        How many layers are bound.
    """
    bound = sum(_kept(trt, layer, nodes) for layer in map(network.get_layer, range(network.num_layers)))
    flag = next((name for name in _CONSTRAINTS if hasattr(trt.BuilderFlag, name)), None)
    if bound and flag is not None:
        config.set_flag(getattr(trt.BuilderFlag, flag))
    return bound


def _kept(trt: Any, layer: Any, nodes: Collection[str]) -> bool:
    found = _NODE.search(layer.metadata)
    kinds = trt.LayerType
    # the parser makes several layers of some nodes, and names the first as the node
    if (found[1] if found else layer.name) not in nodes or layer.type in (kinds.CAST, kinds.CONSTANT, kinds.SHAPE):
        return False
    floats = [
        number
        for number in range(layer.num_outputs)
        if layer.get_output(number).dtype in (trt.DataType.FLOAT, trt.DataType.HALF)
    ]
    for number in floats:
        layer.set_output_type(number, trt.DataType.FLOAT)
    if floats:
        layer.precision = trt.DataType.FLOAT
    return bool(floats)
