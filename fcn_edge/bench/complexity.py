"""How much the network of a row computes, where the onnx package can tell."""

from __future__ import annotations

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size

__all__ = ["complexity_of"]


def complexity_of(model: Model, size: Size) -> float | None:
    """Multiply-accumulates of a model's convolutions for one frame, in 10^9.

    None of an engine, whose graph is no longer there, of a graph that is typed already, and without the onnx package.

    Args:
        model: The model.
        size: ``(height, width)`` of the network's input.

    Raises:
        ModelError: The file is damaged, or was changed since it was opened.
    """
    if model.kind != "onnx" or model.spec.precision != "fp32":
        return None
    try:
        from fcn_edge.quantization.complexity import gmacs_of
    except ModuleNotFoundError:
        return None
    return gmacs_of(model, size)
