"""From a model to an engine directory: the candidates are built, measured, and the fastest is kept."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.base import Backend, Device, Probe
from fcn_edge.backends.registry import BACKENDS, available_backends, backend
from fcn_edge.engine import (
    EngineManifest,
    file_of,
    open_engine,
    read_manifest,
    verify_engine,
    write_manifest,
)
from fcn_edge.engine import Device as BuiltFor
from fcn_edge.enginewriter import check_replaceable, engine_workspace, place_engine
from fcn_edge.errors import EngineError, MachineError, ModelError, UsageError
from fcn_edge.measure.latency import speed_of
from fcn_edge.modelfile import model_digest
from fcn_edge.models import Model, resolved_model
from fcn_edge.spec import Size, checked_size
from fcn_edge.version import __version__

__all__ = ["ENGINES", "PRECISIONS", "Build", "Candidate", "build_engine"]

ENGINES = Path("engines")
"""Where engines go when no path is given, below the current directory."""

PRECISIONS = ("fp32",)
"""Precisions that an engine can be built with."""

_FRAME_SIZE = (720, 1280)
_SOURCE = "rendered street"
_FRAMES = 3
_FPS = 1.0


@dataclass(frozen=True)
class Candidate:
    """One way to run the model that was considered.

    Attributes:
        backend: Its backend.
        precision: Of its plan.
        end_to_end_ms: Median time of a frame from memory to its mask; None when it could not be measured.
        miou: None: nothing measured it.
        kept: This one became the engine.
        reason: Why it was kept, or not.
    """

    backend: str
    precision: str
    end_to_end_ms: float | None
    miou: float | None
    kept: bool
    reason: str


@dataclass(frozen=True)
class Build:
    """What came of a build.

    Attributes:
        engine: The engine directory.
        manifest: What its ``engine.json`` says.
        candidates: What was considered.
        up_to_date: The engine was there already and nothing was built.
        reason: Why it was built, or not.
    """

    engine: Path
    manifest: EngineManifest
    candidates: tuple[Candidate, ...]
    up_to_date: bool
    reason: str


@dataclass(frozen=True)
class _Order:
    """What is to be built."""

    model: Model
    digest: str
    size: Size
    precision: str
    options: dict[str, str | int | float | bool | None | list[str | int | float | bool | None]]


def build_engine(
    model: str | Path,
    *,
    backend: str = "auto",
    precision: str = "fp32",
    size: Size | None = None,
    output: Path | None = None,
    if_stale: bool = False,
) -> Build:
    """Build an engine directory for this machine.

    Every candidate is built, opened and timed on rendered frames of 1280x720; the fastest is opened once more as it
    will be used, runs a frame, and is renamed into its place. What lay there before stays until then.

    Args:
        model: A shipped name or an ``.onnx`` file.
        backend: A name of ``fcn_edge.backends.BACKENDS``; ``auto`` takes the fastest of those that run here.
        precision: One of ``PRECISIONS``; the model's own.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's default when left out.
        output: The engine directory; ``engines/<model>.<backend>.<precision>`` when left out.
        if_stale: Build nothing when the engine is there, whole, and of the same model, size, options, library and
            device.

    Raises:
        UsageError: An argument makes no sense, or ``output`` holds something else than an engine.
        ModelError: The model is missing or damaged, or no backend can run it.
        MachineError: The backend's library or device is not here, or the disk is full.
    """
    found = resolved_model(model)
    _check_buildable(found, precision)
    chosen, absent = _candidates(backend)
    probes = {made.name: made.probe() for made in chosen}
    libraries: list[str | int | float | bool | None] = [f"{name} {probe.version}" for name, probe in probes.items()]
    order = _Order(
        model=found,
        digest=model_digest(found.path),
        size=checked_size(size or found.spec.size),
        precision=precision,
        options={"backend": backend, "candidates": libraries},
    )
    targets = {made.name: output or _default_path(found, made.name, precision) for made in chosen}
    reason = "every build was asked for"
    if if_stale:
        for name, target in targets.items():
            reason = _staleness(target, order, probes)
            if not reason:
                return _kept_as_it_is(target, name)
    for target in targets.values():
        check_replaceable(target)
    with engine_workspace(next(iter(targets.values())).absolute().parent) as workspace:
        built = _built(order, chosen, probes, workspace)
        kept = min(built, key=lambda name: built[name].end_to_end_ms)
    raise NotImplementedError
