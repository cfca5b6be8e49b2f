"""From a model to an engine directory: the candidates are built, measured, and the fastest is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends import registry
from fcn_edge.backends.base import Backend
from fcn_edge.candidates import Candidate, Trial, candidates_of, fastest, trials_of
from fcn_edge.engine import EngineManifest, file_of, open_engine, read_manifest, write_manifest
from fcn_edge.enginewriter import check_replaceable, engine_workspace, place_engine
from fcn_edge.errors import MachineError, UsageError
from fcn_edge.modelfile import model_digest
from fcn_edge.models import Model, resolved_model
from fcn_edge.spec import Size, checked_size
from fcn_edge.staleness import Identity, staleness
from fcn_edge.street import Street
from fcn_edge.version import __version__

__all__ = ["ENGINES", "PRECISIONS", "Build", "build_engine"]

ENGINES = Path("engines")
"""Where engines go when no path is given, below the current directory."""

PRECISIONS = ("fp32",)
"""Precisions that an engine can be built with."""

_FRAME_SIZE = (720, 1280)
_FRAMES = 3


@dataclass(frozen=True)
class Build:
    """What came of a build.

    Attributes:
        engine: The engine directory.
        manifest: What its ``engine.json`` says.
        candidates: What was considered.
        up_to_date: The engine was there already and nothing was built.
        reason: Why it was built, or not, where ``if_stale`` asked; else empty.
    """

    engine: Path
    manifest: EngineManifest
    candidates: tuple[Candidate, ...]
    up_to_date: bool
    reason: str


def build_engine(
    model: str | Path,
    *,
    backend: str = "auto",
    precision: str = "fp32",
    size: Size | None = None,
    output: Path | None = None,
    if_stale: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Build:
    """Build an engine directory for this machine.

    Every candidate is built, opened and timed on rendered frames of 1280x720. The fastest is opened once more, as
    ``load`` will do it, runs a frame, and is renamed into its place; what lies there stays until then.

    Args:
        model: A shipped name or an ``.onnx`` file.
        backend: A name of ``fcn_edge.backends.BACKENDS``; ``auto`` takes the fastest of those that run here.
        precision: One of ``PRECISIONS``.
        size: ``(height, width)`` of the network's input, multiples of 32; the model's default when left out.
        output: The engine directory; ``engines/<model>.<backend>.<precision>`` when left out.
        if_stale: Build nothing when the engine is there, whole, and of the same model, size, options, library and
            device.
        tell: Called with a line before each step that takes time.

    Raises:
        UsageError: An argument makes no sense, or ``output`` holds something else than an engine.
        ModelError: The model is missing or damaged, or no backend can run it.
        MachineError: The backend's library or device is not here, or the disk is full.
    """
    found = _buildable(model, precision)
    chosen = registry.available_backends() if backend == "auto" else (_present(backend),)
    identities = _identities(found, checked_size(size or found.spec.size), precision, backend, chosen)
    targets = {made.name: output or _default_path(found, made.name, precision) for made in chosen}
    reason = ""
    if if_stale:
        for name, target in targets.items():
            reason = staleness(target, identities[name])
            if not reason:
                return _unchanged(target)
    for target in targets.values():
        check_replaceable(target)
    with engine_workspace(next(iter(targets.values())).absolute().parent) as workspace:
        frames = _frames()
        trials, failures = trials_of(found, chosen, identities, workspace, frames, tell)
        kept = fastest(trials)
        manifest = _finished(found, trials[kept], frames[0])
        place_engine(trials[kept].directory, targets[kept])
    candidates = candidates_of(precision, trials, failures, absent=backend == "auto")
    return Build(targets[kept], manifest, candidates, up_to_date=False, reason=reason)


def _buildable(model: str | Path, precision: str) -> Model:
    if precision not in PRECISIONS:
        raise UsageError(f"There is no precision {precision!r} to build with.", f"There is: {', '.join(PRECISIONS)}.")
    found = resolved_model(model)
    if found.kind == "engine":
        raise UsageError(
            f"{model} is an engine already; engines are built from shipped models and .onnx files.",
            f"It was built from {read_manifest(found.path).model}.",
        )
    if found.spec.precision != precision:
        raise UsageError(
            f"{model} is an {found.spec.precision} graph; the precision {precision} was asked for.",
            "Export the checkpoint again with fcn-edge export.",
        )
    return found


def _present(name: str) -> Backend:
    made = registry.backend(name)
    probe = made.probe()
    if not probe.available:
        raise MachineError(probe.problem, probe.fix)
    return made


def _identities(model: Model, size: Size, precision: str, asked: str, chosen: Sequence[Backend]) -> dict[str, Identity]:
    """What the engine of each candidate is bound to, by backend."""
    probes = {made.name: made.probe() for made in chosen}
    digest = model_digest(model.path)
    considered = [f"{name} {probe.version}" for name, probe in probes.items()]
    return {
        name: Identity(
            model_digest=digest,
            spec=model.spec,
            size=size,
            precision=precision,
            backend=name,
            library=probe.version,
            device=probe.buildable[0],
            options={"backend": asked, "considered": considered},
        )
        for name, probe in probes.items()
    }


def _default_path(model: Model, backend: str, precision: str) -> Path:
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", model.shipped or model.spec.name).strip("._") or "model"
    return ENGINES / f"{name}.{backend}.{precision}"


def _frames() -> list[NDArray[np.uint8]]:
    street = Street(seed=0, size=_FRAME_SIZE, frames=_FRAMES, fps=1.0)
    return [image for image, _ in street]


def _finished(model: Model, trial: Trial, frame: NDArray[np.uint8]) -> EngineManifest:
    """Write the manifest of a built candidate, then open and run it as ``load`` will."""
    identity = trial.identity
    manifest = EngineManifest(
        model=model.shipped or str(model.path.absolute()),
        model_digest=identity.model_digest,
        spec=identity.spec,
        size=identity.size,
        backend=identity.backend,
        precision=identity.precision,
        plan=trial.plan,
        files={name: file_of(trial.directory / name) for name in trial.built.files},
        library=identity.library,
        tools={"fcn_edge": __version__, "numpy": np.__version__},
        device=identity.device,
        build_seconds=round(trial.seconds, 3),
        options=identity.options,
        notes=trial.built.notes,
        int8_share=trial.built.int8_share,
        speed=trial.speed,
    )
    write_manifest(trial.directory, manifest)
    with open_engine(trial.directory) as engine, engine.session() as session:
        session.labels(frame)
    return manifest


def _unchanged(target: Path) -> Build:
    manifest = read_manifest(target)
    ms = manifest.speed.end_to_end_ms if manifest.speed else None
    reason = "model, size, precision, options, library and device are those it was built for"
    kept = Candidate(manifest.backend, manifest.precision, ms, None, True, "up to date")
    return Build(target, manifest, (kept,), up_to_date=True, reason=reason)
