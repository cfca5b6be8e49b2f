"""How much a network computes."""

from __future__ import annotations

import onnx

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size
from fcn_edge.quantization.graph import GraphView

__all__ = ["gmacs_of"]


def gmacs_of(model: Model, size: Size) -> float:
    """Multiply-accumulates of the convolutions of an FP32 ONNX file for one frame, in 10^9.

    Args:
        model: The file.
        size: ``(height, width)`` of the network's input.

    Raises:
        ModelError: The file is damaged, or was changed since it was opened.
        UsageError: It is an engine.
    """
    with model.opened() as file:
        view = GraphView(onnx.load_model(file))
    return round(sum(view.macs(size).values()) / 1e9, 4)
