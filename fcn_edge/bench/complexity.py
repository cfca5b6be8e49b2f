"""How much a network computes."""

from __future__ import annotations

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size

__all__ = ["gmacs_of"]


def gmacs_of(model: Model, size: Size) -> float | None:
    """Multiply-accumulates of a model's convolutions for one frame, in 10^9; None of an engine, or without onnx.

    Args:
        model: The model.
        size: ``(height, width)`` of the network's input.

    Raises:
        ModelError: The file is damaged, or was changed since it was opened.
    """
    if model.kind != "onnx":
        return None
    try:
        import onnx

        from fcn_edge.quantization.graph import GraphView
    except ModuleNotFoundError:
        return None
    with model.opened() as file:
        view = GraphView(onnx.load_model(file))
    return round(sum(view.macs(size).values()) / 1e9, 4)
