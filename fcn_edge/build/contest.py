"""Every plan of a build: built, judged against the float network, and timed beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends import registry
from fcn_edge.backends.base import Progress, Session
from fcn_edge.build.candidates import Result
from fcn_edge.build.choices import Try, best_method, mixed, sensitivities
from fcn_edge.build.plans import Plan
from fcn_edge.build.request import Request
from fcn_edge.build.trials import Trial, built_trial
from fcn_edge.calibrationtable import CalibrationTable, Choice
from fcn_edge.datasets import LabelledSplit
from fcn_edge.datasets.halves import halves_of
from fcn_edge.errors import FcnEdgeError, GuardError
from fcn_edge.measure.guard import Guard, LabelledGuard, RenderedGuard, Verdict
from fcn_edge.measure.latency import speeds_of
from fcn_edge.models import Model
from fcn_edge.street import Street

__all__ = ["Contest", "frames_to_time"]

DEFAULT_METHOD = "mse"
"""How activations are clipped where neither the table nor labelled images say what is best."""

FRAME_SIZE = (720, 1280)
FRAMES = 3
GUARD_STREETS = 16


class Contest:
    """Builds, judges and times plans of one model.

    Args:
        model: What to build.
        request: What was asked for.
        table: The calibration table.
        workspace: A directory for the trials.
        reference: A session of the float network at the size of the build; None where there is nothing to judge.
        tell: Called with a line before each step that takes time.
        progress: Told how a backend's build gets on.
    """

    def __init__(
        self,
        model: Model,
        request: Request,
        table: CalibrationTable | None,
        workspace: Path,
        reference: Session | None,
        tell: Callable[[str], None],
        progress: Progress | None,
    ) -> None:
        self.model, self.request, self.table, self.workspace = model, request, table, workspace
        self.reference, self.tell, self.progress = reference, tell, progress

    def results(self, plans: Sequence[Plan]) -> list[Result]:
        """What comes of each plan, in their order, untimed."""
        if self._selects(plans):
            self.tell("Half of the labelled images choose, the other half judges")
        found = []
        for plan in plans:
            self.tell(f"Building for {plan.backend.name} {plan.identity.library}, {plan.precision} ...")
            try:
                found.append(self._int8(plan) if plan.precision == "int8" else self._float(plan))
            except FcnEdgeError as error:
                found.append(Result(plan, error=error))
        return found

    def timed(self, results: Sequence[Result]) -> list[Result]:
        """The results with their speed, measured in turns; one that does not run becomes an error."""
        frames = frames_to_time()
        done = list(results)
        with ExitStack() as stack:
            sessions: dict[str, Session] = {}
            for number, result in enumerate(results):
                if result.trial is None or not result.plan.runs or result.refused:
                    continue
                try:
                    engine = stack.enter_context(result.trial.opened())
                    session = stack.enter_context(engine.session())
                    session.labels(frames[0])
                    sessions[str(number)] = session
                except FcnEdgeError as error:
                    done[number] = replace(result, trial=None, error=error)
            devices = {key: results[int(key)].plan.identity.device.name for key in sessions}
            if sessions:
                speeds = speeds_of(sessions, frames, source="rendered street", devices=devices)
                for key, speed in speeds.items():
                    done[int(key)] = replace(done[int(key)], speed=speed)
        return done

    def _float(self, plan: Plan) -> Result:
        trial = built_trial(self.model, plan, self.workspace, table=self.table, choice=None, progress=self.progress)
        judged = self.reference is not None and (plan.precision != "fp32" or self.request.evaluation is not None)
        return Result(plan, trial, self._judged(trial) if judged else None)

    def _int8(self, plan: Plan) -> Result:
        choice = self._known_choice(plan)
        searched = False
        if choice is None and self._selecting is not None:
            choice, verdict = best_method(self._attempt(plan), self.tell)
            if not verdict.holds:
                choice, searched = self._mixed(plan, choice), True
        trial = self._built(plan, choice or Choice(method=DEFAULT_METHOD, selected_on="nothing: the default"))
        if self.reference is None:
            return Result(plan, trial)
        verdict = self._judged(trial)
        if not verdict.holds and self._selecting is not None and not searched and trial.choice is not None:
            self.tell(f"{plan.name}: {verdict.sentence}")
            trial = self._built(plan, self._mixed(plan, trial.choice))
            verdict = self._judged(trial)
        return Result(plan, trial, verdict)

    def _mixed(self, plan: Plan, choice: Choice) -> Choice:
        """The choice with those groups of layers in floating point that it takes to hold the guard."""
        self.tell(f"{plan.name} loses too much: measuring what each group of layers costs ...")
        layers = self._built(plan, Choice(method=choice.method)).typed.quantised
        attempt = self._attempt(plan, any_share=True)
        ranking = sensitivities(layers, choice, attempt, self.tell)
        return mixed(choice, ranking, attempt, self.tell)[0]

    def _attempt(self, plan: Plan, *, any_share: bool = False) -> Try:
        guard = self._selecting
        assert guard is not None

        def attempt(choice: Choice) -> tuple[Verdict, float]:
            trial = self._built(plan, choice, any_share=any_share)
            return _judged_by(guard, trial), trial.int8_share or 0.0

        return attempt

    def _built(self, plan: Plan, choice: Choice, *, any_share: bool = False) -> Trial:
        return built_trial(
            self.model,
            plan,
            self.workspace,
            table=self.table,
            choice=choice,
            progress=self.progress,
            any_share=any_share,
        )

    def _judged(self, trial: Trial) -> Verdict:
        verdict = _judged_by(self._judging, trial)
        if trial.typed.int8_share is not None and (trial.int8_share or 0) < (trial.typed.int8_share or 0) / 2:
            raise GuardError(
                f"{trial.plan.name}: the library runs only {trial.int8_share or 0:.0%} of the multiplications in INT8, "
                f"where the graph asks for {trial.typed.int8_share:.0%}.",
                "Build --precision fp16, which is what it would be.",
            )
        return verdict

    def _known_choice(self, plan: Plan) -> Choice | None:
        profile = plan.identity.spec.profile
        return self.table.choices.get(profile) if self.table is not None and profile is not None else None

    def _selects(self, plans: Sequence[Plan]) -> bool:
        open_choice = any(plan.precision == "int8" and self._known_choice(plan) is None for plan in plans)
        self._halved = open_choice and self.request.evaluation is not None and self.request.guard
        return self._halved

    @cached_property
    def _selecting(self) -> Guard | None:
        """The guard on the images to choose on; None without labelled images."""
        if self.request.evaluation is None or self.reference is None:
            return None
        return self._labelled(halves_of(self.request.evaluation)[0])

    @cached_property
    def _judging(self) -> Guard:
        """The guard that decides; not on images that chose."""
        assert self.reference is not None
        split = self.request.evaluation
        if split is None:
            streets = [Street(seed=seed, size=self.model.spec.size, frames=1) for seed in range(500, 500 + GUARD_STREETS)]
            return RenderedGuard([street.frame(0)[0] for street in streets], self.reference)
        return self._labelled(halves_of(split)[1] if self._halved else split)

    def _labelled(self, split: LabelledSplit) -> LabelledGuard:
        assert self.reference is not None
        return LabelledGuard(split, self.reference, self.request.max_drop, self.request.max_class_drop)


def frames_to_time() -> list[NDArray[np.uint8]]:
    """Rendered frames of 1280x720 that plans are timed on, ``(H, W, 3)`` uint8 BGR."""
    street = Street(seed=0, size=FRAME_SIZE, frames=FRAMES, fps=1.0)
    return [image for image, _ in street]


def _judged_by(guard: Guard, trial: Trial) -> Verdict:
    with trial.opened() as engine, engine.session() as session:
        return guard.judge(session)
