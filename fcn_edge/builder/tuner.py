"""Every plan of a build: built, judged against the float network, and timed beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.calibration_table import CalibrationTable, Choice
from fcn_edge.artifacts.models import Model
from fcn_edge.backends.base import Progress, Session
from fcn_edge.builder.candidates import Plan
from fcn_edge.builder.compiled import Trial, built_trial
from fcn_edge.builder.mixed_precision import Try, best_method, mixed, sensitivities
from fcn_edge.builder.options import Request
from fcn_edge.builder.outcome import Result
from fcn_edge.builder.reference import Reference
from fcn_edge.datasets import LabelledSplit
from fcn_edge.datasets.halves import Part, halves_of
from fcn_edge.errors import DatasetError, FcnEdgeError, GuardError, ModelError
from fcn_edge.evaluation.guard import Guard, LabelledGuard, LabelledScore, RenderedGuard, Verdict
from fcn_edge.evaluation.latency import speeds_of
from fcn_edge.street import Street

__all__ = ["DEFAULT_CHOICE", "Contest", "frames_to_time"]

DEFAULT_CHOICE = Choice(method="mse", selected_on="nothing: the default")
"""How activations are clipped where neither the table nor labelled images say what is best."""

FLOAT_DROP = 0.01
"""mIoU that a float plan may lose whatever is allowed: another order of additions costs a thousandth at most, so one
that loses more is broken."""

FRAME_SIZE = (720, 1280)
FRAMES = 3
GUARD_SEEDS = range(500, 516)
"""Of the streets that stand in for labelled images; training and calibration draw those of 0 to 64 by default."""


class Contest:
    """Builds, judges and times plans of one model.

    Args:
        model: What to build.
        request: What was asked for.
        plans: What is considered.
        table: The calibration table.
        workspace: A directory for the trials.
        reference: The float network at the size of the build; None where nothing is judged.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.
    """

    def __init__(
        self,
        model: Model,
        request: Request,
        plans: Sequence[Plan],
        table: CalibrationTable | None,
        workspace: Path,
        reference: Reference | None,
        tell: Callable[[str], None],
        progress: Progress | None,
    ) -> None:
        self.model, self.request, self.plans, self.table = model, request, plans, table
        self.workspace, self.reference, self.tell, self.progress = workspace, reference, tell, progress
        self._searched = False

    def results(self) -> list[Result]:
        """What comes of each plan, in their order, untimed.

        Raises:
            DatasetError: There are too few labelled images to choose on some and judge on others.
        """
        if self._selects:
            choosing, judging = map(len, self._halves)
            self.tell(f"{choosing} of the labelled images choose how INT8 clips, the other {judging} judge")
        results = [self._result(plan) for plan in self.plans]
        return [self._on_the_same_images(result) for result in results] if self._searched else results

    def compared(self, plans: Sequence[Plan]) -> list[Result]:
        """Float plans, only built so that others can be timed beside them."""
        return [replace(self._result(plan, judged=False), reference=True) for plan in plans]

    def timed(self, results: Sequence[Result]) -> list[Result]:
        """The results with their speed, measured in turns; one that does not run becomes an error."""
        frames = frames_to_time()
        done = {result.plan.name: result for result in results}
        with ExitStack() as stack:
            sessions: dict[str, Session] = {}
            for result in results:
                if result.trial is None or result.error is not None or not result.plan.runs:
                    continue
                try:
                    engine = stack.enter_context(result.trial.opened())
                    session = stack.enter_context(engine.session())
                    session.labels(frames[0])
                    sessions[result.plan.name] = session
                except FcnEdgeError as error:
                    done[result.plan.name] = replace(result, trial=None, error=error)
            if sessions:
                devices = {name: done[name].plan.identity.device.name for name in sessions}
                for name, speed in speeds_of(sessions, frames, source="rendered street", devices=devices).items():
                    done[name] = replace(done[name], speed=speed)
        return list(done.values())

    def _result(self, plan: Plan, *, judged: bool = True) -> Result:
        self.tell(f"Building for {plan.backend.name} {plan.identity.library}, {plan.precision} ...")
        try:
            if plan.precision == "int8" and self.model.spec.precision == "fp32":
                return self._quantised(plan)
            trial = self._built(plan, None)
            return Result(plan, trial, self._verdict(trial) if judged else None)
        except ModelError as error:
            return Result(plan, error=self._only_as_fp16(plan, error) or error)
        except FcnEdgeError as error:
            return Result(plan, error=error)

    def _only_as_fp16(self, plan: Plan, error: ModelError) -> GuardError | None:
        """Why an INT8 plan that was asked for by name cannot be had, where FP16 can; None where it is something else.

        ``auto`` has FP16 among its candidates, and a processor gains nothing from it.
        """
        if (
            self.request.precision != "int8"
            or plan.identity.device.kind == "cpu"
            or self.model.spec.precision != "fp32"
        ):
            return None
        self.tell(f"{error.message} Building FP16, to see whether that can be had ...")
        try:
            self._built(plan.in_fp16(), None)
        except FcnEdgeError:
            return None
        return GuardError(
            f"{plan.backend.name} {plan.identity.library} can build this model for {plan.identity.device.name} as fp16 "
            f"only, and int8 was asked for: {error.message}",
            "Build it with --precision fp16, or with --precision auto, which may keep that.",
        )

    def _quantised(self, plan: Plan) -> Result:
        known = self._known_choice(plan)
        if known is None and self._selects:
            trial = self._built(plan, self._selected(plan))
            return Result(plan, trial, self._verdict(trial))
        trial = self._built(plan, known or DEFAULT_CHOICE)
        verdict = self._verdict(trial)
        if known is None or verdict is None or verdict.holds or verdict.accuracy is None:
            return Result(plan, trial, verdict)
        try:
            judging = self._second_half
        except DatasetError:  # too few images to search on some and judge on others
            return Result(plan, trial, verdict)
        self.tell(f"{plan.name}: {verdict.sentence}")
        try:
            trial = self._built(plan, self._mixed(plan, known))
        except GuardError as error:
            return Result(plan, trial, verdict, error=error)
        self._searched = True
        return Result(plan, trial, _judged_by(judging, trial))

    def _on_the_same_images(self, result: Result) -> Result:
        """The result as the images judge it that no plan was chosen on, so that scores can be compared."""
        trial, verdict = result.trial, result.verdict
        if trial is None or verdict is None or verdict.accuracy is None or result.error is not None:
            return result
        if verdict.accuracy.images == len(self._halves[1]):
            return result
        return replace(result, verdict=self._allowed(trial.plan, _judged_by(self._second_half, trial)))

    def _selected(self, plan: Plan) -> Choice:
        """The choice that holds the guard on the images to choose on."""
        choice, verdict = best_method(self._attempt(plan), self.tell)
        return self._named(choice) if verdict.holds else self._mixed(plan, choice)

    def _mixed(self, plan: Plan, choice: Choice) -> Choice:
        """The choice with those groups of layers in floating point that it takes to hold the guard."""
        self.tell(f"{plan.name} loses too much: measuring what each group of layers costs ...")
        layers = self._built(plan, Choice(method=choice.method)).typed.quantised
        attempt = self._attempt(plan, any_share=True)
        ranking = sensitivities(layers, choice, attempt, self.tell)
        return self._named(mixed(choice, ranking, attempt, self.tell)[0])

    def _named(self, choice: Choice) -> Choice:
        half = self._halves[0]
        on = f"{half.info.name} {half.name}, {len(half)} images"
        return choice.model_copy(update={"selected_on": on})

    def _attempt(self, plan: Plan, *, any_share: bool = False) -> Try:
        guard = self._selecting

        def attempt(choice: Choice) -> tuple[Verdict, float]:
            trial = self._built(plan, choice, any_share=any_share)
            return _judged_by(guard, trial), trial.int8_share or 0.0

        return attempt

    def _built(self, plan: Plan, choice: Choice | None, *, any_share: bool = False) -> Trial:
        return built_trial(
            self.model,
            plan,
            self.workspace,
            table=self.table,
            choice=choice,
            progress=self.progress,
            any_share=any_share,
        )

    def _verdict(self, trial: Trial) -> Verdict | None:
        """What the guard says of a plan; None where it is not asked."""
        plan, reference = trial.plan, self.reference
        if self._judging is None:
            return None
        if plan.precision != "fp32":
            return _judged_by(self._judging, trial)
        if self.request.evaluation is None and (
            not plan.runs or (reference is not None and plan.backend.name == reference.backend)
        ):
            return None  # it is the reference
        return self._allowed(plan, _judged_by(self._judging, trial))

    def _allowed(self, plan: Plan, verdict: Verdict) -> Verdict:
        """The verdict, which is milder on float plans: another order of additions moves a pixel here and there."""
        within = plan.precision == "fp32" and verdict.drop <= FLOAT_DROP
        return replace(verdict, holds=True) if within else verdict

    def _known_choice(self, plan: Plan) -> Choice | None:
        profile = plan.identity.spec.profile
        return self.table.choices.get(profile) if self.table is not None and profile is not None else None

    @cached_property
    def _selects(self) -> bool:
        """Some of the labelled images are needed to choose how INT8 clips."""
        if self.reference is None or self.request.evaluation is None:
            return False
        return any(plan.precision == "int8" and self._known_choice(plan) is None for plan in self.plans)

    @cached_property
    def _halves(self) -> tuple[Part, Part]:
        assert self.request.evaluation is not None
        return halves_of(self.request.evaluation)

    @cached_property
    def _selecting(self) -> Guard:
        """The guard on the images to choose on."""
        return self._labelled(self._halves[0])

    @cached_property
    def _second_half(self) -> Guard:
        """The guard on images that chose nothing."""
        return self._labelled(self._halves[1])

    @cached_property
    def _judging(self) -> Guard | None:
        """The guard that decides, on images that chose nothing; None where nothing is judged."""
        split = self.request.evaluation
        if self.reference is None:
            return None if split is None else LabelledScore(split)
        if split is not None:
            return self._second_half if self._selects else self._labelled(split)
        streets = [Street(seed=seed, size=self.model.spec.size, frames=1) for seed in GUARD_SEEDS]
        return RenderedGuard([street.frame(0)[0] for street in streets], self.reference.session)

    def _labelled(self, split: LabelledSplit) -> LabelledGuard:
        assert self.reference is not None
        return LabelledGuard(split, self.reference.session, self.request.max_drop, self.request.max_class_drop)


def frames_to_time() -> list[NDArray[np.uint8]]:
    """Rendered frames of 1280x720 that plans are timed on, ``(H, W, 3)`` uint8 BGR."""
    street = Street(seed=0, size=FRAME_SIZE, frames=FRAMES, fps=1.0)
    return [image for image, _ in street]


def _judged_by(guard: Guard, trial: Trial) -> Verdict:
    with trial.opened() as engine, engine.session() as session:
        return guard.judge(session)
