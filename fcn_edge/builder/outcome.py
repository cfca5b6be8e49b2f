"""The verdict on every plan that was considered, and which one is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.records import Speed
from fcn_edge.builder.candidates import Plan
from fcn_edge.builder.compiled import Trial
from fcn_edge.builder.options import Request
from fcn_edge.errors import FcnEdgeError, GuardError
from fcn_edge.evaluation.guard import Verdict

__all__ = ["Result", "fastest_float", "kept_result"]

WORTH = 1.05
"""How many times as fast as fp32 a smaller precision must be for ``auto`` to take its loss of accuracy."""


@dataclass(frozen=True)
class Result:
    """What came of a plan.

    Attributes:
        plan: What was to be built.
        trial: What was built; None when it could not be.
        verdict: What the guard says; None when it was not asked.
        speed: How fast it is; None when it does not run here.
        error: Why it was not built, does not run, or cannot hold the guard.
        reference: It was built only to compare the others with.
    """

    plan: Plan
    trial: Trial | None = None
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
        return self.trial is not None and not self.refused and not self.reference

    @property
    def milliseconds(self) -> float:
        """Time of a frame; infinity for a plan that cannot run here."""
        return self.speed.end_to_end_ms if self.speed is not None else math.inf


def kept_result(results: Sequence[Result], request: Request) -> Result:
    """The result that becomes the engine: the fastest that holds the guard and, for ``auto``, is worth its precision.

    Raises:
        GuardError: Every plan that could be built loses too much accuracy; each is named, with what was found.
        FcnEdgeError: No plan could be built; the error is the first one's.
    """
    usable = [result for result in results if result.usable]
    if not usable:
        raise _refusal(results, request)
    if request.precision == "auto":
        usable = [result for result in usable if _worth(result, usable)]
    return min(usable, key=lambda result: result.milliseconds)


def _refusal(results: Sequence[Result], request: Request) -> FcnEdgeError:
    """Why nothing is kept."""
    refused = [one for one in results if one.refused or isinstance(one.error, GuardError)]
    if len(refused) < 2 and not any(one.refused for one in refused):
        return next(one.error for one in results if one.error is not None)
    said = []
    for one in refused:
        found = []
        if one.verdict is not None:
            found.append(f"is less accurate than is allowed: {one.verdict.sentence}")
        if one.error is not None:
            found.append(f"cannot be mended: {one.error.message.rstrip('.')}")
        said.append(f"{one.plan.name} {', and '.join(found)}")
    return GuardError(f"{'; '.join(said)}.", _mending(refused, request))


def _mending(refused: Sequence[Result], request: Request) -> str:
    ways = []
    if any(one.plan.precision == "int8" for one in refused):
        ways.append("calibrate on more images like those to come")
    if request.evaluation is not None:
        ways += ["allow a larger --max-drop or --max-class-drop", "build another --precision"]
        ways.append("take it as it is with --no-guard instead of --eval")
    else:  # the limits count on labelled images alone
        ways += ["judge it on labelled images with --eval DIR", "build another --precision"]
        ways.append("take it as it is with --no-guard")
    text = f"{', '.join(ways[:-1])}, or {ways[-1]}."
    return text[:1].upper() + text[1:]


def _worth(result: Result, usable: Sequence[Result]) -> bool:
    base = fastest_float(usable)
    if result.plan.precision == "fp32" or base is None:
        return True
    return result.milliseconds * WORTH <= base.milliseconds


def fastest_float(results: Sequence[Result]) -> Result | None:
    """The fastest fp32 plan that was timed; None where none was."""
    timed = [one for one in results if one.plan.precision == "fp32" and one.speed is not None]
    return min(timed, key=lambda result: result.milliseconds) if timed else None
