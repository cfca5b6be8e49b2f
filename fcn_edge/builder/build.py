"""From a model to an engine directory: the plans are built, judged and timed, and the fastest good one is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcn_edge.artifacts.device import Note
from fcn_edge.artifacts.engine_manifest import TABLE_FILE, EngineManifest, file_of, read_manifest, write_manifest
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.quantization_record import origin_of_onnx
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.backends.base import Progress
from fcn_edge.backends.opening import open_engine
from fcn_edge.builder.calibration import table_for
from fcn_edge.builder.candidates import Plan, buildable_model, default_path, plans_of
from fcn_edge.builder.compiled import Trial
from fcn_edge.builder.identity import staleness
from fcn_edge.builder.mixed_precision import groups_of
from fcn_edge.builder.options import Request
from fcn_edge.builder.outcome import Result, kept_result
from fcn_edge.builder.reference import opened_reference
from fcn_edge.builder.report import Candidate, candidates_of, guard_sentence, warnings_of
from fcn_edge.builder.tuner import Contest, frames_to_time
from fcn_edge.builder.workspace import check_replaceable, engine_workspace, place_engine
from fcn_edge.errors import EngineError
from fcn_edge.evaluation.leakage import calibration_images, refuse_calibration_images
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
        warnings: What the user should know of the engine, a sentence each.
    """

    engine: Path
    manifest: EngineManifest
    candidates: tuple[Candidate, ...]
    up_to_date: bool
    reason: str
    warnings: tuple[str, ...] = ()


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

    Every plan is built and opened, judged against the float network where it is not that itself, and timed on rendered
    frames of 1280x720, in turns. The one that is kept is opened once more, as ``load`` will do it, runs a frame, and is
    renamed into its place; what lies there stays until then. A plan that cannot run on this machine is judged through
    its typed ONNX in ONNX Runtime and is not timed. A graph that is typed already is not judged.

    Args:
        model: A shipped name or an ``.onnx`` file.
        request: How to build; fp32 for the fastest backend when left out.
        output: The engine directory; ``engines/<model>.<backend>.<precision>`` when left out.
        if_stale: Build nothing when the engine is there, whole, and of the same model, size, options, table, labelled
            images, library, device and version of fcn_edge.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.

    Raises:
        UsageError: An argument makes no sense, or ``output`` holds something else than an engine; or ``auto`` cannot
            time its candidates, because the backend that was named does not run here.
        ModelError: The model is missing or damaged, or no backend can run it.
        TableError: The calibration table is missing, damaged or another model's.
        DatasetError: The labelled images are those of the calibration, or too few to choose and to judge.
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
        there, reason = _engine_there(plans, targets)
        if there is not None:
            return _unchanged(there)
    for target in targets.values():
        check_replaceable(target)
    if request.evaluation is not None and any(plan.precision == "int8" for plan in plans):
        hashes = calibration_images(found) if table is None else table.image_hashes
        refuse_calibration_images(hashes, request.evaluation)
    with (
        # beside what a link leads to: no rename goes from one file system to another
        engine_workspace(next(iter(targets.values())).resolve().parent) as workspace,
        opened_reference(found, request, plans) as reference,
    ):
        contest = Contest(found, request, plans, table, workspace, reference, tell, progress)
        results = contest.results()
        if any(result.usable for result in results):
            results = contest.timed([*results, *contest.compared(_floats_beside(found, request, plans))])
        kept = kept_result(results, request)
        assert kept.trial is not None
        manifest = _finished(found, request, kept, kept.trial, _failed_steps(kept, results))
        place_engine(kept.trial.directory, targets[kept.plan.name])
    return Build(
        targets[kept.plan.name],
        manifest,
        candidates_of(results, kept, request),
        up_to_date=False,
        reason=reason,
        warnings=warnings_of(kept, results, request, found),
    )


def _engine_there(plans: Sequence[Plan], targets: Mapping[str, Path]) -> tuple[Path | None, str]:
    """The engine that a build would make, where it is there already; else why it has to be built."""
    reasons = {}
    for plan in plans:
        reasons[plan.name] = staleness(targets[plan.name], plan.identity)
        if not reasons[plan.name]:
            return targets[plan.name], ""
    for plan in plans:  # of several candidates, the one that is there has more to say than those that never were
        try:
            there = read_manifest(targets[plan.name])
        except EngineError:
            continue
        if (there.backend, there.precision) == (plan.backend.name, plan.precision):
            return None, reasons[plan.name]
    return None, next(iter(reasons.values()))


def _floats_beside(model: Model, request: Request, plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """The float plans that a smaller precision's speed is compared with, when that was asked for by name."""
    if request.precision not in ("fp16", "int8") or model.spec.precision != "fp32":
        return ()
    if not any(plan.runs for plan in plans):
        return ()
    return plans_of(model, Request(backend=request.backend, size=request.size), None)


def _finished(model: Model, request: Request, result: Result, trial: Trial, failed: Sequence[str]) -> EngineManifest:
    """Write the manifest of a built plan, then open and run it as ``load`` will."""
    identity, verdict = trial.plan.identity, result.verdict
    accuracy = verdict.accuracy if verdict else None
    origin = origin_of_onnx(trial.typed.path) if trial.plan.precision == "int8" else None
    beside = TABLE_FILE in trial.files
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
        notes={**trial.built.notes, **_notes(trial, failed)},
        int8_share=round(trial.int8_share, 4) if trial.int8_share is not None else None,
        calibration_digest=origin.table if origin else None,
        calibration_images=origin.images if origin and not beside else (),
        guard=guard_sentence(result, request, model),
        speed=result.speed,
        accuracy=AccuracyRecord.model_validate(accuracy.to_json()) if accuracy else None,
    )
    write_manifest(trial.directory, manifest)
    if trial.plan.runs:
        with open_engine(trial.directory) as engine, engine.session() as session:
            session.labels(frames_to_time()[0])
    return manifest


def _failed_steps(kept: Result, results: Sequence[Result]) -> tuple[str, ...]:
    """Why the same backend could not build INT8, where FP16 was kept."""
    if kept.plan.precision != "fp16":
        return ()
    same = [one for one in results if one.plan.name == f"{kept.plan.backend.name}.int8"]
    return tuple(f"int8: {one.error.message}" for one in same if one.error is not None)


def _notes(trial: Trial, failed: Sequence[str]) -> dict[str, Note]:
    """What was decided of a plan's arithmetic, and the steps to it with those that failed before."""
    notes: dict[str, Note] = {}
    if failed:
        steps = trial.built.notes.get("steps", [])
        notes["steps"] = [*failed, *(steps if isinstance(steps, list) else [])]
    choice = trial.choice
    if choice is not None:
        notes |= {"method": choice.method, "chosen_on": choice.selected_on}
        if choice.floats:
            notes |= {"floats": list(choice.floats), "float_groups": list(groups_of(choice.floats))}
    if trial.typed.islands:
        notes["float32_islands"] = list(trial.typed.islands)
    return notes


def _unchanged(target: Path) -> Build:
    manifest = read_manifest(target)
    ms = manifest.speed.end_to_end_ms if manifest.speed else None
    miou = manifest.accuracy.miou if manifest.accuracy else None
    reason = "model, size, precision, options, library, device and fcn_edge are those it was built for"
    kept = Candidate(manifest.backend, manifest.precision, ms, miou, True, "up to date", manifest.int8_share)
    return Build(target, manifest, (kept,), up_to_date=True, reason=reason)
