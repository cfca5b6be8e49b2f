"""Engines of TensorRT on the GPU: a plan made ready, and sessions that run it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from fcn_edge.backends.base import Engine
from fcn_edge.backends.cuda import Device
from fcn_edge.spec import ModelSpec, Size

__all__ = ["opened"]


def opened(plan: Path, library: ModuleType, spec: ModelSpec, size: Size, device: Device, backend: str) -> Engine:
    """The engine of a plan.

    Args:
        plan: File of a serialised engine, verified before.
        library: ``tensorrt`` or ``tensorrt_rtx``.
        spec: What the model is.
        size: ``(height, width)`` that it was built for.
        device: Runs it; the engine owns and closes it, also when this fails.
        backend: Name of the backend that opens it.

    Raises:
        ModelError: TensorRT refuses the plan, or it does not fit the spec.
        MachineError: The GPU has too little memory, or its driver fails.
    """
    raise NotImplementedError
