"""From a model to an engine directory: the candidates are built, judged and timed, and the fastest good one is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcn_edge.artifacts.device import ManifestValue
from fcn_edge.artifacts.engine_manifest import TABLE_FILE, EngineManifest, file_of, write_manifest
from fcn_edge.artifacts.models import Model
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.backends.base import Progress
from fcn_edge.backends.opening import open_engine
from fcn_edge.backends.options import RunOptions
from fcn_edge.builder.calibration import table_for
from fcn_edge.builder.candidates import Candidate, buildable_model, candidates_of, default_path
from fcn_edge.builder.compiled import CompiledCandidate
from fcn_edge.builder.identity import why_stale
from fcn_edge.builder.mixed_precision import groups_of
from fcn_edge.builder.options import BuildRequest
from fcn_edge.builder.outcome import Outcome, kept_outcome
from fcn_edge.builder.reference import opened_reference
from fcn_edge.builder.report import CandidateReport, guard_sentence, reports_of, warnings_of
from fcn_edge.builder.target import Target, target_at
from fcn_edge.builder.tuner import Tuner, frames_to_time
from fcn_edge.builder.workspace import check_replaceable, engine_workspace, place_engine
from fcn_edge.errors import UsageError
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
    candidates: tuple[CandidateReport, ...]
    up_to_date: bool
    reason: str
    warnings: tuple[str, ...] = ()


def build_engine(
    model: str | Path | Model,
    request: BuildRequest | None = None,
    *,
    output: Path | None = None,
    if_stale: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    progress: Progress | None = None,
) -> Build:
    """Build an engine directory for this machine.

    Every candidate is built and opened, judged against the float network where it is not that itself, and timed on
    rendered frames of 1280x720, in turns. The one that is kept is opened once more, as ``load`` will do it, runs a
    frame, and is renamed into its place; what lies there stays until then. A candidate that cannot run on this machine
    is judged through its typed ONNX in ONNX Runtime and is not timed. A graph that is typed already is not judged.

    Args:
        model: A shipped name, an ``.onnx`` file, or such a model that is open already.
        request: How to build; fp32 for the fastest backend when left out.
        output: The engine directory; ``engines/<model>.<backend>.<precision>`` when left out, with ``.bN`` of a batch.
        if_stale: Build nothing when the engine is there, whole, and of the same model, size, options, table, labeled
            images, library, device and version of fcn_edge.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.

    Raises:
        UsageError: An argument makes no sense, or ``output`` holds something else than an engine; or ``auto`` cannot
            time its candidates, because the backend that was named does not run here.
        ModelError: The model is missing, damaged or changed during the build, or no backend can run it.
        TableError: The calibration table is missing, damaged or another model's.
        DatasetError: The labeled images are those of the calibration, or too few to choose and to judge.
        GuardError: Every candidate loses more accuracy than is allowed.
        MachineError: The backend's library or device is not here, or the disk is full.
    """
    request = request or BuildRequest()
    found = buildable_model(model, request)
    table = table_for(found, request)
    candidates = candidates_of(found, request, table)
    paths = {candidate.name: output or default_path(found, candidate) for candidate in candidates}
    places = {path: target_at(path) for path in dict.fromkeys(paths.values())}
    targets = {name: places[path] for name, path in paths.items()}
    reason = ""
    if if_stale:
        there, reason = _engine_there(candidates, targets)
        if there is not None:
            return _unchanged(there)
    for target in places.values():
        check_replaceable(target)
        _refuse_own_model(target, found)
    if request.evaluation is not None and any(candidate.precision == "int8" for candidate in candidates):
        hashes = calibration_images(found) if table is None else table.image_hashes
        refuse_calibration_images(hashes, request.evaluation)
    with (
        # beside what a link leads to: no rename goes from one file system to another
        engine_workspace(next(iter(places)).resolve().parent) as workspace,
        opened_reference(found, request, candidates) as reference,
    ):
        tuner = Tuner(found, request, candidates, table, workspace, reference, tell, progress)
        outcomes = tuner.outcomes()
        if (usable := sum(outcome.usable for outcome in outcomes)) > 1 or (usable and request.timed):
            outcomes = tuner.timed([*outcomes, *tuner.compared(_float_candidates(found, request, candidates))])
        kept = kept_outcome(outcomes, request)
        assert kept.compiled is not None
        manifest = _finished(found, request, kept, kept.compiled, _failed_steps(kept, outcomes))
        found.require_unchanged()
        place_engine(kept.compiled.directory, paths[kept.candidate.name])
    return Build(
        paths[kept.candidate.name],
        manifest,
        reports_of(outcomes, kept, request),
        up_to_date=False,
        reason=reason,
        warnings=warnings_of(kept, outcomes, request, found),
    )


def _refuse_own_model(target: Target, model: Model) -> None:
    """Refuse to replace the engine whose file is built anew: with it the only float network might be gone."""
    if target.path.resolve() in model.path.resolve().parents:
        raise UsageError(
            f"{model.path} lies in the engine {target.path}, which would be replaced.",
            "Give another directory with -o, or copy the model first.",
        )


def _engine_there(candidates: Sequence[Candidate], targets: Mapping[str, Target]) -> tuple[Target | None, str]:
    """The engine that a build would make, where it is there already; else why it has to be built."""
    reasons = {}
    for candidate in candidates:
        reasons[candidate.name] = why_stale(targets[candidate.name], candidate.identity)
        if not reasons[candidate.name]:
            return targets[candidate.name], ""
    for candidate in candidates:
        # the one that is there has more to say than those that never were
        there = targets[candidate.name].manifest
        if there is not None and (there.backend, there.precision) == (candidate.backend.name, candidate.precision):
            return None, reasons[candidate.name]
    return None, next(iter(reasons.values()))


def _float_candidates(model: Model, request: BuildRequest, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The float candidates that a smaller precision's speed is compared with, when that was asked for by name."""
    if request.precision not in ("fp16", "int8") or model.spec.precision != "fp32":
        return ()
    if not any(candidate.runs for candidate in candidates):
        return ()
    compared = BuildRequest(
        backend=request.backend, size=request.size, batch=request.batch, device=request.device, threads=request.threads
    )
    return candidates_of(model, compared, None)


def _finished(
    model: Model, request: BuildRequest, outcome: Outcome, compiled: CompiledCandidate, failed: Sequence[str]
) -> EngineManifest:
    """Write the manifest of a built candidate, then open and run it as ``load`` will."""
    identity, verdict = compiled.candidate.identity, outcome.verdict
    accuracy = verdict.accuracy if verdict else None
    record = compiled.typed.record
    has_table = TABLE_FILE in compiled.files
    manifest = EngineManifest(
        model=model.shipped or str(model.path.absolute()),
        model_digest=identity.model_digest,
        spec=compiled.typed.spec,
        size=identity.size,
        backend=identity.backend,
        precision=identity.precision,
        batch=identity.batch,
        plan_file=compiled.candidate.backend.plan_file,
        files={name: file_of(compiled.directory / name) for name in compiled.files},
        library=identity.library,
        tools={"fcn_edge": __version__, "numpy": np.__version__},
        device=identity.device,
        build_seconds=round(compiled.seconds, 3),
        options=identity.options,
        notes={**compiled.built.notes, **_notes(compiled, failed, request.recipe)},
        int8_share=round(compiled.int8_share, 4) if compiled.int8_share is not None else None,
        calibration_digest=record.table if record else None,
        calibration_images=record.images if record and not has_table else (),
        guard=guard_sentence(outcome, request, model),
        speed=outcome.speed,
        accuracy=AccuracyRecord.model_validate(accuracy.to_json()) if accuracy else None,
    )
    write_manifest(compiled.directory, manifest)
    if compiled.candidate.runs:
        with (
            open_engine(compiled.directory, RunOptions(device=compiled.candidate.gpu)) as engine,
            engine.session() as session,
        ):
            session.labels(frames_to_time()[0])
    return manifest


def _failed_steps(kept: Outcome, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Why the same backend could not build INT8, where FP16 was kept."""
    if kept.candidate.precision != "fp16":
        return ()
    wanted = (kept.candidate.backend.name, "int8")
    same = [one for one in outcomes if (one.candidate.backend.name, one.candidate.precision) == wanted]
    return tuple(f"int8: {one.error.message}" for one in same if one.error is not None)


def _notes(compiled: CompiledCandidate, failed: Sequence[str], recipe: str) -> dict[str, ManifestValue]:
    """What was decided of a candidate's arithmetic, the steps to it with those that failed before, and the recipe."""
    notes: dict[str, ManifestValue] = {"recipe": recipe} if recipe else {}
    if failed:
        steps = compiled.built.notes.get("steps", [])
        notes["steps"] = [*failed, *(steps if isinstance(steps, list) else [])]
    choice = compiled.choice
    if choice is not None:
        notes |= {"method": choice.method, "chosen_on": choice.selected_on}
        if choice.excluded_layers:
            notes |= {
                "excluded_layers": list(choice.excluded_layers),
                "excluded_groups": list(groups_of(choice.excluded_layers)),
            }
    if compiled.typed.islands:
        notes["float32_islands"] = list(compiled.typed.islands)
    if compiled.typed.divisor > 1:
        notes["activations_divided_by"] = compiled.typed.divisor
    return notes


def _unchanged(target: Target) -> Build:
    manifest = target.manifest
    assert manifest is not None
    ms = manifest.speed.end_to_end_ms if manifest.speed else None
    miou = manifest.accuracy.miou if manifest.accuracy else None
    reason = "model, size, precision, options, library, device and fcn_edge are those it was built for"
    kept = CandidateReport(manifest.backend, manifest.precision, ms, miou, True, "up to date", manifest.int8_share)
    return Build(target.path, manifest, (kept,), up_to_date=True, reason=reason)
