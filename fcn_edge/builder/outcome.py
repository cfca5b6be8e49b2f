"""What came of every candidate, and which one is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.records import Speed
from fcn_edge.builder.candidates import Candidate
from fcn_edge.builder.compiled import CompiledCandidate
from fcn_edge.builder.options import BuildRequest
from fcn_edge.errors import FcnEdgeError, GuardError
from fcn_edge.evaluation.guard import Verdict

__all__ = ["Outcome", "fastest_float", "kept_outcome", "worth_its_precision"]

WORTH = 1.05
"""How many times as fast as fp32 a smaller precision must be for ``auto`` to take its loss of accuracy."""


@dataclass(frozen=True)
class Outcome:
    """What came of a candidate.

    Attributes:
        candidate: What was to be built.
        compiled: What was built; None when it could not be.
        verdict: What the guard says; None when it was not asked.
        speed: How fast it is; None when it does not run here.
        error: Why it was not built, does not run, or cannot hold the guard.
        reference: It was built only to compare the others with.
    """

    candidate: Candidate
    compiled: CompiledCandidate | None = None
    verdict: Verdict | None = None
    speed: Speed | None = None
    error: FcnEdgeError | None = None
    reference: bool = False

    @property
    def refused(self) -> bool:
        """The guard is against it."""
        return self.verdict is not None and not self.verdict.holds

    @property
    def usable(self) -> bool:
        """It was built to be kept, and the guard has nothing against it."""
        return self.compiled is not None and not self.refused and not self.reference

    @property
    def milliseconds(self) -> float:
        """Time of a frame; infinity for a candidate that cannot run here."""
        return self.speed.end_to_end_ms if self.speed is not None else math.inf


def kept_outcome(outcomes: Sequence[Outcome], request: BuildRequest) -> Outcome:
    """The outcome that becomes the engine: the fastest that holds the guard and, for ``auto``, is worth its precision.

    Raises:
        GuardError: Every candidate that could be built loses too much accuracy; each is named, with what was found.
        FcnEdgeError: No candidate could be built; the error is the first one's.
    """
    usable = [outcome for outcome in outcomes if outcome.usable]
    if not usable:
        raise _refusal(outcomes, request)
    if request.precision == "auto":
        usable = [outcome for outcome in usable if worth_its_precision(outcome, usable)]
    return min(usable, key=lambda outcome: outcome.milliseconds)


def _refusal(outcomes: Sequence[Outcome], request: BuildRequest) -> FcnEdgeError:
    """Why nothing is kept."""
    refused = [one for one in outcomes if one.refused or isinstance(one.error, GuardError)]
    if len(refused) < 2 and not any(one.refused for one in refused):
        return next(one.error for one in outcomes if one.error is not None)
    said = []
    for one in refused:
        found = []
        if one.verdict is not None:
            found.append(f"is less accurate than is allowed: {one.verdict.sentence}")
        if one.error is not None:
            cannot = "is not built" if one.verdict is None else "cannot be fixed"
            found.append(f"{cannot}: {one.error.message.rstrip('.')}")
        said.append(f"{one.candidate.name} {', and '.join(found)}")
    judged = [one for one in refused if one.refused]
    # what nobody has judged was refused for another reason than its accuracy, --no-guard or not
    fix = _remedies(judged, request) if judged else next(one.error.fix for one in refused if one.error is not None)
    return GuardError(f"{'; '.join(said)}.", fix)


def _remedies(refused: Sequence[Outcome], request: BuildRequest) -> str:
    ways = []
    if any(one.candidate.precision == "int8" for one in refused):
        ways.append("calibrate on more images like those to come")
    if request.evaluation is not None:
        ways += ["allow a larger --max-drop or --max-class-drop", "build another --precision"]
        ways.append("take it as it is with --no-guard instead of --eval")
    else:  # the limits count on labeled images alone
        ways += ["judge it on labeled images with --eval DIR", "build another --precision"]
        ways.append("take it as it is with --no-guard")
    text = f"{', '.join(ways[:-1])}, or {ways[-1]}."
    return text[:1].upper() + text[1:]


def worth_its_precision(outcome: Outcome, usable: Sequence[Outcome]) -> bool:
    """Whether a candidate is so much faster than fp32 that ``auto`` may take its loss of accuracy."""
    base = fastest_float(usable)
    if outcome.candidate.precision == "fp32" or base is None:
        return True
    return outcome.milliseconds * WORTH <= base.milliseconds


def fastest_float(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The fastest fp32 candidate that was timed; None where none was."""
    timed = [one for one in outcomes if one.candidate.precision == "fp32" and one.speed is not None]
    return min(timed, key=lambda outcome: outcome.milliseconds) if timed else None
