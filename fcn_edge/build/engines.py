"""From a model to an engine directory: the plans are built, judged and timed, and the fastest good one is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcn_edge.backends import registry
from fcn_edge.backends.base import Progress, Session
from fcn_edge.build.candidates import Candidate, Result, candidates_of, kept_result
from fcn_edge.build.contest import Contest, frames_to_time
from fcn_edge.build.plans import Plan, buildable_model, default_path, plans_of
from fcn_edge.build.request import Request
from fcn_edge.build.tables import refuse_calibration_images, table_for
from fcn_edge.build.trials import Trial
from fcn_edge.engine import EngineManifest, file_of, open_engine, read_manifest, write_manifest
from fcn_edge.enginewriter import check_replaceable, engine_workspace, place_engine
from fcn_edge.measured import AccuracyRecord
from fcn_edge.models import Model
from fcn_edge.staleness import staleness
from fcn_edge.version import __version__

__all__ = ["Build", "build_engine"]


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
    request: Request | None = None,
    *,
    output: Path | None = None,
    if_stale: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Build:
    """Build an engine directory for this machine.

    Every plan is built and opened, judged against the float network where it is not one itself, and timed on rendered
    frames of 1280x720, in turns. The one that is kept is opened once more, as ``load`` will do it, runs a frame, and is
    renamed into its place; what lies there stays until then. A plan that cannot run on this machine is judged through
    its typed ONNX in ONNX Runtime and is not timed.

    Args:
        model: A shipped name or an ``.onnx`` file.
        request: How to build; fp32 for the fastest backend when left out.
        output: The engine directory; ``engines/<model>.<backend>.<precision>`` when left out.
        if_stale: Build nothing when the engine is there, whole, and of the same model, size, options, table, library
            and device.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.

    Raises:
        UsageError: An argument makes no sense, or ``output`` holds something else than an engine.
        ModelError: The model is missing or damaged, or no backend can run it.
        TableError: The calibration table is missing, damaged or another model's.
        DatasetError: The labelled images are those of the calibration.
        GuardError: Every plan loses more accuracy than is allowed.
        MachineError: The backend's library or device is not here, or the disk is full.
    """
    request = request or Request()
    found = buildable_model(model, request)
    table = table_for(found, request)
    plans = plans_of(found, request, table)
    targets = {plan.name: output or default_path(found, plan) for plan in plans}
    reason = ""
    if if_stale:
        for plan in plans:
            reason = staleness(targets[plan.name], plan.identity)
            if not reason:
                return _unchanged(targets[plan.name])
    for target in targets.values():
        check_replaceable(target)
    if table is not None and any(plan.precision == "int8" for plan in plans):
        refuse_calibration_images(table.image_hashes, request.evaluation)
    with (
        engine_workspace(next(iter(targets.values())).absolute().parent) as workspace,
        _reference(found, request, plans) as reference,
    ):
        contest = Contest(found, request, table, workspace, reference, tell, progress)
        results = contest.timed([*contest.results(plans), *_compared_with(contest, found, request, plans)])
        kept = kept_result(results, request)
        assert kept.trial is not None
        manifest = _finished(found, kept.trial, kept)
        place_engine(kept.trial.directory, targets[kept.plan.name])
    candidates = candidates_of(results, kept, request, absent=request.backend == "auto")
    return Build(targets[kept.plan.name], manifest, candidates, up_to_date=False, reason=reason)


@contextmanager
def _reference(model: Model, request: Request, plans: Sequence[Plan]) -> Iterator[Session | None]:
    """A session of the float network that plans are judged against; None where none is judged, or it is not at hand."""
    needed = any(plan.precision != "fp32" for plan in plans) or request.evaluation is not None
    if not (needed and request.guard and model.spec.precision == "fp32"):
        yield None
        return
    size = plans[0].identity.size
    with registry.available_backends()[0].open_onnx(model.path, model.spec, size) as engine:
        with engine.session() as session:
            yield session


def _compared_with(contest: Contest, model: Model, request: Request, plans: Sequence[Plan]) -> list[Result]:
    """The float plan that a smaller precision's speed is compared with, when one was asked for by name."""
    if request.precision not in ("fp16", "int8") or model.spec.precision != "fp32":
        return []
    if not all(plan.runs for plan in plans):
        return []
    float_request = Request(backend=plans[0].backend.name, size=request.size)
    (plan,) = plans_of(model, float_request, None)
    (result,) = contest.results((plan,))
    return [Result(plan, result.trial, result.verdict, error=result.error, reference=True)]


def _finished(model: Model, trial: Trial, result: Result) -> EngineManifest:
    """Write the manifest of a built plan, then open and run it as ``load`` will."""
    identity, verdict = trial.plan.identity, result.verdict
    int8 = trial.plan.precision == "int8"
    notes = dict(trial.built.notes)
    if trial.choice is not None:
        notes |= {"method": trial.choice.method, "floats": list(trial.choice.floats)}
    if trial.typed.islands:
        notes["float32_islands"] = list(trial.typed.islands)
    if verdict is not None:
        guard = verdict.sentence
    else:
        guard = "none: it was built with --no-guard" if trial.plan.precision != "fp32" else ""
    table = identity.options.get("calibration") if int8 else None
    accuracy = verdict.accuracy if verdict else None
    manifest = EngineManifest(
        model=model.shipped or str(model.path.absolute()),
        model_digest=identity.model_digest,
        spec=trial.typed.spec,
        size=identity.size,
        backend=identity.backend,
        precision=identity.precision,
        plan=trial.plan.backend.plan,
        files={name: file_of(trial.directory / name) for name in trial.files},
        library=identity.library,
        tools={"fcn_edge": __version__, "numpy": np.__version__},
        device=identity.device,
        build_seconds=round(trial.seconds, 3),
        options=identity.options,
        notes=notes,
        int8_share=round(trial.int8_share, 4) if trial.int8_share is not None else None,
        calibration_digest=table if isinstance(table, str) else None,
        guard=guard,
        speed=result.speed,
        accuracy=AccuracyRecord.model_validate(accuracy.to_json()) if accuracy else None,
    )
    write_manifest(trial.directory, manifest)
    if trial.plan.runs:
        with open_engine(trial.directory) as engine, engine.session() as session:
            session.labels(frames_to_time()[0])
    return manifest


def _unchanged(target: Path) -> Build:
    manifest = read_manifest(target)
    ms = manifest.speed.end_to_end_ms if manifest.speed else None
    miou = manifest.accuracy.miou if manifest.accuracy else None
    reason = "model, size, precision, options, library and device are those it was built for"
    kept = Candidate(manifest.backend, manifest.precision, ms, miou, True, "up to date", manifest.int8_share)
    return Build(target, manifest, (kept,), up_to_date=True, reason=reason)
