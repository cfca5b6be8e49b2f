"""The verdict on every plan that was considered, and which one is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.records import Speed
from fcn_edge.backends import registry
from fcn_edge.build.plans import Plan
from fcn_edge.build.request import Request
from fcn_edge.build.trials import Trial
from fcn_edge.errors import FcnEdgeError, GuardError
from fcn_edge.evaluation.guard import Verdict
from fcn_edge.runtime.segmenter import has_nvidia_gpu

__all__ = ["Candidate", "Result", "candidates_of", "fastest_float", "kept_result"]

WORTH = 1.05
"""How many times as fast as fp32 a smaller precision must be for ``auto`` to take its loss of accuracy."""


@dataclass(frozen=True)
class Candidate:
    """One way to run the model that was considered.

    Attributes:
        backend: Its backend.
        precision: Of its plan.
        end_to_end_ms: Median time of a frame from memory to its mask; None when it was not measured.
        miou: Its accuracy on the labelled images that judge; None when there are none.
        kept: This one became the engine.
        reason: Why it was kept, or not.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands; None in a float plan.
    """

    backend: str
    precision: str
    end_to_end_ms: float | None
    miou: float | None
    kept: bool
    reason: str
    int8_share: float | None = None


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


def candidates_of(results: Sequence[Result], kept: Result, request: Request) -> tuple[Candidate, ...]:
    """What was considered, and why it was kept or not; for ``auto`` also the backends that cannot run here.

    Those for GPUs are named only on a machine that has one.

    Args:
        results: Of every plan.
        kept: The one that became the engine.
        request: What was asked for.
    """
    made = [
        Candidate(
            result.plan.backend.name,
            result.plan.precision,
            result.speed.end_to_end_ms if result.speed else None,
            result.verdict.accuracy.scores.mean_iou if result.verdict and result.verdict.accuracy else None,
            result is kept,
            _reason(result, kept, results, request),
            result.trial.int8_share if result.trial else None,
        )
        for result in results
    ]
    if request.backend == "auto":
        considered = {result.plan.backend.name for result in results}
        gpu = has_nvidia_gpu()
        for name, entry in registry.BACKENDS.items():
            if name not in considered and (gpu or entry.device == "cpu"):
                problem = registry.backend(name).probe().problem or "the graph is not made for it"
                made.append(Candidate(name, kept.plan.precision, None, None, False, problem))
    return tuple(made)


def _reason(result: Result, kept: Result, results: Sequence[Result], request: Request) -> str:
    if result.error is not None:
        return result.error.message
    if result is kept:
        return _why_kept(result, results, request)
    if result.reference:
        return "what the others are compared with"
    if result.verdict is not None and result.refused:
        return f"loses too much: {result.verdict.sentence}"
    if request.precision == "auto" and not _worth(result, [one for one in results if one.usable]):
        base = fastest_float(results)
        gain = 100 * (base.milliseconds / result.milliseconds - 1) if base else 0.0
        pace = f"{gain:.0f} % faster" if gain >= 0 else f"{-gain:.0f} % slower"
        cost = f", {100 * result.verdict.drop:.1f} points worse" if result.verdict and result.verdict.drop > 0 else ""
        return f"{result.plan.precision.upper()} is not worth it here: {pace}{cost}"
    return f"{result.milliseconds - kept.milliseconds:.1f} ms slower than {_name(kept, results)}"


def _why_kept(result: Result, results: Sequence[Result], request: Request) -> str:
    rivals = [one for one in results if one is not result and one.usable]
    if rivals:
        reason = "the fastest"
    elif request.backend == "auto" and request.precision != "auto":
        reason = "the only one that runs here"
    elif request.precision == "auto":
        reason = "the only one that may be kept"
    else:
        reason = "asked for"
    base = fastest_float(results)
    if base is not None and base is not result and result.speed is not None and base.speed is not None:
        ratio = base.milliseconds / result.milliseconds
        reason += f", {ratio:.2f} times as fast as fp32"
    return reason


def _name(result: Result, results: Sequence[Result]) -> str:
    """The backend, and the precision where several are compared."""
    several = len({one.plan.precision for one in results if not one.reference}) > 1
    return f"{result.plan.backend.name} {result.plan.precision}" if several else result.plan.backend.name


def _worth(result: Result, usable: Sequence[Result]) -> bool:
    base = fastest_float(usable)
    if result.plan.precision == "fp32" or base is None:
        return True
    return result.milliseconds * WORTH <= base.milliseconds


def fastest_float(results: Sequence[Result]) -> Result | None:
    """The fastest fp32 plan that was timed; None where none was."""
    timed = [one for one in results if one.plan.precision == "fp32" and one.speed is not None]
    return min(timed, key=lambda result: result.milliseconds) if timed else None
