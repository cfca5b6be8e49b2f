"""Every candidate of a build: built, judged against the float network, and timed beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import CalibrationTable, QuantizationChoice
from fcn_edge.artifacts.models import Model
from fcn_edge.backends.base import Progress, Session
from fcn_edge.builder.candidates import Candidate
from fcn_edge.builder.compiled import CompiledCandidate, compiled_candidate
from fcn_edge.builder.mixed_precision import Try, best_method, mixed_precision, sensitivities
from fcn_edge.builder.options import BuildRequest
from fcn_edge.builder.outcome import Outcome
from fcn_edge.builder.reference import Reference
from fcn_edge.datasets import LabeledSplit
from fcn_edge.datasets.halves import Part, halves_of
from fcn_edge.datasets.scenes import rendered_drive, rendered_images
from fcn_edge.errors import DatasetError, FcnEdgeError, GuardError, ModelError
from fcn_edge.evaluation.guard import Guard, LabeledGuard, LabeledScore, RenderedGuard, Verdict
from fcn_edge.evaluation.latency import speeds_of

__all__ = ["DEFAULT_CHOICE", "Tuner", "frames_to_time"]

DEFAULT_CHOICE = QuantizationChoice(method="mse", selected_on="nothing: the default")
"""How activations are clipped where neither the table nor labeled images say what is best."""

FLOAT_DROP = 0.01
"""mIoU that a float candidate may lose whatever is allowed: another order of additions costs a thousandth at most, so
one that loses more is broken."""

FRAME_SIZE = (720, 1280)
FRAMES = 3
GUARD_SEEDS = range(500, 516)
"""Seeds of the streets that stand in for labeled images; training and calibration draw those of 0 to 64 by default."""


class Tuner:
    """Builds, judges and times candidates of one model.

    Args:
        model: What to build.
        request: What was asked for.
        candidates: What is considered.
        table: The calibration table.
        workspace: A directory for the builds.
        reference: The float network at the size of the build; None where nothing is judged.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.
    """

    def __init__(
        self,
        model: Model,
        request: BuildRequest,
        candidates: Sequence[Candidate],
        table: CalibrationTable | None,
        workspace: Path,
        reference: Reference | None,
        tell: Callable[[str], None],
        progress: Progress | None,
    ) -> None:
        self.model, self.request, self.candidates, self.table = model, request, candidates, table
        self.workspace, self.reference, self.tell, self.progress = workspace, reference, tell, progress
        self._searched = False

    def outcomes(self) -> list[Outcome]:
        """What comes of each candidate, in their order, untimed.

        Raises:
            DatasetError: There are too few labeled images to choose on some and judge on others.
        """
        if self._selects:
            choosing, judging = map(len, self._halves)
            self.tell(f"{choosing} of the labeled images choose how INT8 clips, the other {judging} judge")
        outcomes = [self._outcome(candidate) for candidate in self.candidates]
        return [self._on_the_same_images(outcome) for outcome in outcomes] if self._searched else outcomes

    def compared(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        """Float candidates, only built so that others can be timed beside them."""
        return [replace(self._outcome(candidate, judged=False), reference=True) for candidate in candidates]

    def timed(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with their speed, measured in turns; one that does not run becomes an error."""
        frames = frames_to_time()
        done = {outcome.candidate.name: outcome for outcome in outcomes}
        with ExitStack() as stack:
            sessions: dict[str, Session] = {}
            for outcome in outcomes:
                if outcome.compiled is None or outcome.error is not None or not outcome.candidate.runs:
                    continue
                try:
                    engine = stack.enter_context(outcome.compiled.opened())
                    session = stack.enter_context(engine.session())
                    session.labels(frames[0])
                    sessions[outcome.candidate.name] = session
                except FcnEdgeError as error:
                    done[outcome.candidate.name] = replace(outcome, compiled=None, error=error)
            if sessions:
                devices = {name: done[name].candidate.identity.device.title for name in sessions}
                for name, speed in speeds_of(sessions, frames, source="rendered street", devices=devices).items():
                    done[name] = replace(done[name], speed=speed)
        return list(done.values())

    def _outcome(self, candidate: Candidate, *, judged: bool = True) -> Outcome:
        self.tell(f"Building for {candidate.backend.name} {candidate.identity.library}, {candidate.precision} ...")
        try:
            if candidate.precision == "int8" and self.model.spec.precision == "fp32":
                return self._quantized(candidate)
            compiled = self._built(candidate, None)
            return Outcome(candidate, compiled, self._verdict(compiled) if judged else None)
        except ModelError as error:
            return Outcome(candidate, error=self._only_as_fp16(candidate, error) or error)
        except FcnEdgeError as error:
            return Outcome(candidate, error=error)

    def _only_as_fp16(self, candidate: Candidate, error: ModelError) -> GuardError | None:
        """Why an INT8 engine that was asked for by name cannot be had, where FP16 can; None where it is something else.

        ``auto`` has FP16 among its candidates, and a processor gains nothing from it.
        """
        if (
            self.request.precision != "int8"
            or candidate.identity.device.kind == "cpu"
            or self.model.spec.precision != "fp32"
        ):
            return None
        self.tell(f"{error.message} Building FP16, to see whether that can be had ...")
        try:
            self._built(candidate.in_fp16(), None)
        except FcnEdgeError:
            return None
        return GuardError(
            f"{candidate.backend.name} {candidate.identity.library} can build this model for "
            f"{candidate.identity.device.title} as fp16 only, and int8 was asked for: {error.message}",
            "Build it with --precision fp16, or with --precision auto, which may keep that.",
        )

    def _quantized(self, candidate: Candidate) -> Outcome:
        known = self._known_choice(candidate)
        if known is None and self._selects:
            compiled = self._built(candidate, self._selected(candidate))
            return Outcome(candidate, compiled, self._verdict(compiled))
        compiled = self._built(candidate, known or DEFAULT_CHOICE)
        verdict = self._verdict(compiled)
        if known is None or verdict is None or verdict.holds or verdict.accuracy is None:
            return Outcome(candidate, compiled, verdict)
        try:
            judging = self._second_half
        except DatasetError:  # too few images to search on some and judge on others
            return Outcome(candidate, compiled, verdict)
        self.tell(f"{candidate.name}: {verdict.sentence}")
        try:
            # of a table that leaves no layer in float only the method is known, and may be wrong
            layers_known = bool(known.excluded_layers)
            choice = self._mixed_precision(candidate, known) if layers_known else self._selected(candidate)
            compiled = self._built(candidate, choice)
        except GuardError as error:
            return Outcome(candidate, compiled, verdict, error=error)
        self._searched = True
        return Outcome(candidate, compiled, _judged_by(judging, compiled))

    def _on_the_same_images(self, outcome: Outcome) -> Outcome:
        """The outcome as the images judge it that no candidate was chosen on, so that scores can be compared."""
        compiled, verdict = outcome.compiled, outcome.verdict
        if compiled is None or verdict is None or verdict.accuracy is None or outcome.error is not None:
            return outcome
        if verdict.accuracy.images == len(self._halves[1]):
            return outcome
        return replace(outcome, verdict=self._allowed(compiled.candidate, _judged_by(self._second_half, compiled)))

    def _selected(self, candidate: Candidate) -> QuantizationChoice:
        """The choice that holds the guard on the images to choose on."""
        choice, verdict = best_method(self._attempt(candidate), self.tell)
        return self._named(choice) if verdict.holds else self._mixed_precision(candidate, choice)

    def _mixed_precision(self, candidate: Candidate, choice: QuantizationChoice) -> QuantizationChoice:
        """The choice with those groups of layers in floating point that it takes to hold the guard."""
        self.tell(f"{candidate.name} loses too much: measuring what each group of layers costs ...")
        layers = self._built(candidate, QuantizationChoice(method=choice.method)).typed.quantized
        attempt = self._attempt(candidate, any_share=True)
        ranking = sensitivities(layers, choice, attempt, self.tell)
        return self._named(mixed_precision(choice, ranking, attempt, self.tell)[0])

    def _named(self, choice: QuantizationChoice) -> QuantizationChoice:
        half = self._halves[0]
        on = f"{half.info.name} {half.name}, {len(half)} images"
        return choice.model_copy(update={"selected_on": on})

    def _attempt(self, candidate: Candidate, *, any_share: bool = False) -> Try:
        guard = self._selecting

        def attempt(choice: QuantizationChoice) -> tuple[Verdict, float]:
            compiled = self._built(candidate, choice, any_share=any_share)
            return _judged_by(guard, compiled), compiled.int8_share or 0.0

        return attempt

    def _built(
        self, candidate: Candidate, choice: QuantizationChoice | None, *, any_share: bool = False
    ) -> CompiledCandidate:
        return compiled_candidate(
            self.model,
            candidate,
            self.workspace,
            table=self.table,
            choice=choice,
            progress=self.progress,
            any_share=any_share,
        )

    def _verdict(self, compiled: CompiledCandidate) -> Verdict | None:
        """What the guard says of a candidate; None where it is not asked."""
        candidate, reference = compiled.candidate, self.reference
        if self._judging is None:
            return None
        if candidate.precision != "fp32":
            return _judged_by(self._judging, compiled)
        if self.request.evaluation is None and (
            not candidate.runs or (reference is not None and candidate.backend.name == reference.backend)
        ):
            return None  # it is the reference
        return self._allowed(candidate, _judged_by(self._judging, compiled))

    def _allowed(self, candidate: Candidate, verdict: Verdict) -> Verdict:
        """The verdict, which is milder on float candidates: another order of additions moves a pixel here and there."""
        within = candidate.precision == "fp32" and verdict.drop <= FLOAT_DROP
        return replace(verdict, holds=True) if within else verdict

    def _known_choice(self, candidate: Candidate) -> QuantizationChoice | None:
        profile = candidate.identity.spec.profile
        return self.table.choices.get(profile) if self.table is not None and profile is not None else None

    @cached_property
    def _selects(self) -> bool:
        """Some of the labeled images are needed to choose how INT8 clips."""
        if self.reference is None or self.request.evaluation is None:
            return False
        return any(
            candidate.precision == "int8" and self._known_choice(candidate) is None for candidate in self.candidates
        )

    @cached_property
    def _halves(self) -> tuple[Part, Part]:
        assert self.request.evaluation is not None
        return halves_of(self.request.evaluation)

    @cached_property
    def _selecting(self) -> Guard:
        """The guard on the images to choose on."""
        return self._labeled(self._halves[0])

    @cached_property
    def _second_half(self) -> Guard:
        """The guard on images that chose nothing."""
        return self._labeled(self._halves[1])

    @cached_property
    def _judging(self) -> Guard | None:
        """The guard that decides, on images that chose nothing; None where nothing is judged."""
        split = self.request.evaluation
        if self.reference is None:
            return None if split is None else LabeledScore(split)
        if split is not None:
            return self._second_half if self._selects else self._labeled(split)
        scenes = list(rendered_images(self.model.spec.size, GUARD_SEEDS))
        return RenderedGuard(scenes, self.reference.session)

    def _labeled(self, split: LabeledSplit) -> LabeledGuard:
        assert self.reference is not None
        return LabeledGuard(split, self.reference.session, self.request.max_drop, self.request.max_class_drop)


def frames_to_time() -> list[NDArray[np.uint8]]:
    """Rendered frames of 1280x720 that candidates are timed on, ``(H, W, 3)`` uint8 BGR."""
    return list(rendered_drive(FRAME_SIZE, FRAMES, fps=1.0))


def _judged_by(guard: Guard, compiled: CompiledCandidate) -> Verdict:
    with compiled.opened() as engine, engine.session() as session:
        return guard.judge(session)
