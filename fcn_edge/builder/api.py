"""What ``fcn-edge build`` does, as a function of the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.spec import Size
from fcn_edge.backends.base import Progress
from fcn_edge.builder import Build, BuildRequest, build_engine
from fcn_edge.builder.recipe import read_recipe
from fcn_edge.datasets import LabeledSplit, split_of

__all__ = ["build"]


def build(
    model: str | Path | Model,
    output: str | Path | None = None,
    *,
    recipe: str | Path | None = None,
    backend: str | None = None,
    device: int = 0,
    precision: str | None = None,
    size: Size | None = None,
    batch: int | None = None,
    calibration: str | Path | None = None,
    data: str | Path | LabeledSplit | None = None,
    max_drop: float | None = None,
    max_class_drop: float | None = None,
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
        recipe: Name of a shipped recipe, or a TOML file: what it states stands in for arguments that are left out.
        backend: A name of ``fcn_edge.backends.BACKENDS``; ``auto``, the default, takes the fastest of those that run
            here.
        device: Index of the GPU that a GPU backend builds on and for, from 0, as CUDA counts them.
        precision: ``fp32``, the default, ``fp16`` or ``int8``; ``auto`` takes the fastest that holds the guard.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's own when left out.
        batch: Frames that the engine takes at once, 1 to 16, for several sources on one CPU engine; 1 when left out.
        calibration: The table that ``calibrate`` wrote, for INT8; a shipped model's own when left out.
        data: A split to guard the accuracy on: ``images/`` and ``labels/``; rendered scenes stand in when left out.
        max_drop: How much mIoU, as a fraction of 1, the engine may lose against FP32 on ``data``; 0.01 when left out.
        max_class_drop: How much IoU any one class may lose there; 0.03 when left out.
        guard: Whether an engine that loses more is refused.
        threads: Threads that engines of CPU backends are timed with; the physical cores when left out.
        if_stale: Build nothing when the engine is there, whole, and what this build would make.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.

    Returns:
        The engine directory, what its ``engine.json`` says, and what was considered.

    Raises:
        UsageError: An argument makes no sense, there is no such recipe, or ``output`` holds something else than an
            engine.
        ArtifactError: The recipe is damaged, or a value of it makes no sense.
        ModelError: The model is missing or damaged, or no backend can run it.
        TableError: The calibration table is missing, damaged or another model's.
        DatasetError: The labeled images are those of the calibration, or too few to choose and to judge.
        GuardError: Every candidate loses more accuracy than is allowed.
        MachineError: The backend's library or device is not here, or the disk is full.
    """
    settings: dict[str, Any] = {} if recipe is None else read_recipe(recipe).settings()
    given = {
        "backend": backend,
        "precision": precision,
        "size": size,
        "batch": batch,
        "threads": threads,
        "max_drop": max_drop,
        "max_class_drop": max_class_drop,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    request = BuildRequest(
        **settings,
        device=device,
        calibration=None if calibration is None else Path(calibration),
        evaluation=split_of(data) if isinstance(data, str | Path) else data,
        guard=guard,
        recipe="" if recipe is None else str(recipe),
    )
    target = None if output is None else Path(output)
    return build_engine(model, request, output=target, if_stale=if_stale, tell=tell, progress=progress)
