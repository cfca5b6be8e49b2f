"""What ``fcn-edge build`` does, as a function of the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.base import Progress
from fcn_edge.builder import Build, BuildRequest, build_engine
from fcn_edge.datasets import LabeledSplit, split_of

__all__ = ["build"]


def build(
    model: str | Path | Model,
    output: str | Path | None = None,
    *,
    backend: str = "auto",
    device: int = 0,
    precision: str = "fp32",
    size: Size | None = None,
    batch: int = 1,
    calibration: str | Path | None = None,
    data: str | Path | LabeledSplit | None = None,
    max_drop: float = 0.01,
    max_class_drop: float = 0.03,
    guard: bool = True,
    threads: int | None = None,
    if_stale: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Build:
    """Build an engine directory for this machine: the fastest candidate that loses little enough against FP32.

    Args:
        model: A shipped name, an ``.onnx`` file, or such a model that is open already.
        output: The engine directory; ``engines/<model>.<backend>.<precision>`` when left out, with ``.bN`` of a batch.
        backend: A name of ``fcn_edge.backends.BACKENDS``; ``auto`` takes the fastest of those that run here.
        device: Index of the GPU that a GPU backend builds on and for, from 0, as CUDA counts them.
        precision: ``fp32``, ``fp16``, ``int8``; ``auto`` takes the fastest that holds the guard.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's own when left out.
        batch: Frames that the engine takes at once, 1 to 16: for several sources on one CPU engine.
        calibration: The table that ``calibrate`` wrote, for INT8; a shipped model's own when left out.
        data: A split to guard the accuracy on: ``images/`` and ``labels/``; rendered scenes stand in when left out.
        max_drop: How much mIoU, as a fraction of 1, the engine may lose against FP32 on ``data``.
        max_class_drop: How much IoU any one class may lose there.
        guard: Whether an engine that loses more is refused.
        threads: Threads that engines of CPU backends are timed with; the physical cores when left out.
        if_stale: Build nothing when the engine is there, whole, and what this build would make.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.

    Returns:
        The engine directory, what its ``engine.json`` says, and what was considered.

    Raises:
        UsageError: An argument makes no sense, or ``output`` holds something else than an engine.
        ModelError: The model is missing or damaged, or no backend can run it.
        TableError: The calibration table is missing, damaged or another model's.
        DatasetError: The labeled images are those of the calibration, or too few to choose and to judge.
        GuardError: Every candidate loses more accuracy than is allowed.
        MachineError: The backend's library or device is not here, or the disk is full.
    """
    request = BuildRequest(
        backend=backend,
        device=device,
        precision=precision,
        size=size,
        batch=batch,
        calibration=None if calibration is None else Path(calibration),
        evaluation=split_of(data) if isinstance(data, str | Path) else data,
        max_drop=max_drop,
        max_class_drop=max_class_drop,
        guard=guard,
        threads=threads,
    )
    target = None if output is None else Path(output)
    return build_engine(model, request, output=target, if_stale=if_stale, tell=tell, progress=progress)
