"""What a build has to say of the engine that it kept: what guarded it, and what its user should be warned of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.models import Model
from fcn_edge.backends import registry
from fcn_edge.builder.options import BuildRequest
from fcn_edge.builder.outcome import Outcome, fastest_float, worth_its_precision
from fcn_edge.system.nvidia import has_nvidia_gpu
from fcn_edge.text import quoted

__all__ = ["CandidateReport", "guard_sentence", "reports_of", "warnings_of"]


def guard_sentence(outcome: Outcome, request: BuildRequest, model: Model) -> str:
    """What a candidate was compared with, for ``engine.json``; empty for the float network itself."""
    if outcome.verdict is not None:
        return outcome.verdict.sentence
    if outcome.candidate.precision == "fp32":
        return ""
    if not request.guard:
        return "none: it was built with --no-guard"
    return f"none: the fp32 model that the {model.spec.precision} graph was made from is not at hand"


def warnings_of(kept: Outcome, outcomes: Sequence[Outcome], request: BuildRequest, model: Model) -> tuple[str, ...]:
    """What the user should know of the engine, a sentence each."""
    candidate, base = kept.candidate, fastest_float(outcomes)
    warnings = _warnings_of_the_table(outcomes, request, model)
    slow = base is not None and kept.speed is not None and kept.milliseconds >= base.milliseconds
    if base is not None and slow and candidate.precision != "fp32":
        warnings.append(
            f"{candidate.precision} was asked for and is no faster than fp32 here: {kept.milliseconds:.1f} ms per "
            f"frame, and {base.candidate.backend.name} fp32 takes {base.milliseconds:.1f} ms."
        )
    warnings += _warnings_of_the_share(kept)
    if not request.guard and candidate.precision != "fp32":
        warnings.append("It was built with --no-guard: nobody has looked at what it gives.")
    elif model.spec.precision != "fp32":
        warnings.append(
            f"It was not judged: {model.path} is an {model.spec.precision} graph already, and the fp32 model that it "
            "was made from is not at hand."
        )
    if not candidate.runs:
        judged = "judged through its ONNX graph in ONNX Runtime, and " if kept.verdict is not None else ""
        kind = registry.BACKENDS[candidate.backend.name].device
        warnings.append(f"This machine cannot run it: it was {judged}not timed. It is for a {kind} device.")
    return tuple(warnings)


def _warnings_of_the_share(kept: Outcome) -> list[str]:
    if kept.compiled is None or kept.compiled.int8_share is None:
        return []
    share, unknown = kept.compiled.int8_share, kept.compiled.built.unknown_convolutions
    if unknown:
        return [
            f"At least {share:.0%} of the multiplications are INT8: {unknown} "
            f"convolution{'s' * (unknown > 1)} that the plan does not name count{'s' * (unknown == 1)} as none."
        ]
    if "int8_share_of" in kept.compiled.built.notes:
        return [
            f"{share:.0%} of the multiplications are INT8 in the graph; what the plan does is not known, because the "
            "library does not tell."
        ]
    return []


def _warnings_of_the_table(outcomes: Sequence[Outcome], request: BuildRequest, model: Model) -> list[str]:
    if model.spec.precision != "fp32":
        return []
    if request.precision == "fp32" and request.calibration is not None:
        return [f"{request.calibration} changes nothing in fp32: --precision int8 or auto uses a calibration table."]
    if request.precision == "auto" and all(outcome.candidate.precision != "int8" for outcome in outcomes):
        reasons = [one.candidate.backend.no_int8 for one in outcomes]
        if all(reasons):  # a table would not help
            return [f"INT8 was not tried: {reasons[0]}."]
        name = quoted(model.shipped or model.path)
        return [
            "INT8 was not tried: the model has no calibration table; make one with "
            f"fcn-edge calibrate {name} --images DIR -o table.json, and give it with --calibration table.json."
        ]
    return []


@dataclass(frozen=True)
class CandidateReport:
    """One way to run the model that was considered.

    Attributes:
        backend: Its backend.
        precision: Precision of its engine.
        end_to_end_ms: Median time of a frame from memory to its mask; None when it was not measured.
        miou: Its accuracy on the labeled images that judge; None when there are none.
        kept: This one became the engine.
        reason: Why it was kept, or not.
        int8_share: Share of the convolution MACs outside depthwise ones with INT8 operands; None in a float candidate.
    """

    backend: str
    precision: str
    end_to_end_ms: float | None
    miou: float | None
    kept: bool
    reason: str
    int8_share: float | None = None


def reports_of(outcomes: Sequence[Outcome], kept: Outcome, request: BuildRequest) -> tuple[CandidateReport, ...]:
    """What was considered, and why it was kept or not; for ``auto`` also the backends that cannot run here.

    Those for GPUs are named only on a machine that has one.

    Args:
        outcomes: What came of every candidate.
        kept: The one that became the engine.
        request: What was asked for.
    """
    made = [
        CandidateReport(
            outcome.candidate.backend.name,
            outcome.candidate.precision,
            outcome.speed.end_to_end_ms if outcome.speed else None,
            outcome.verdict.accuracy.scores.mean_iou if outcome.verdict and outcome.verdict.accuracy else None,
            outcome is kept,
            _reason(outcome, kept, outcomes, request),
            outcome.compiled.int8_share if outcome.compiled else None,
        )
        for outcome in outcomes
    ]
    if request.backend == "auto":
        considered = {outcome.candidate.backend.name for outcome in outcomes}
        gpu = has_nvidia_gpu()
        for name, entry in registry.BACKENDS.items():
            if name not in considered and (gpu or entry.device == "cpu"):
                problem = registry.backend(name).probe(request.device).problem or "the graph is not made for it"
                made.append(CandidateReport(name, kept.candidate.precision, None, None, False, problem))
    return tuple(made)


def _reason(outcome: Outcome, kept: Outcome, outcomes: Sequence[Outcome], request: BuildRequest) -> str:
    if outcome.error is not None:
        return outcome.error.message
    if outcome is kept:
        return _why_kept(outcome, outcomes, request)
    if outcome.reference:
        return "what the others are compared with"
    if outcome.verdict is not None and outcome.refused:
        return f"loses too much: {outcome.verdict.sentence}"
    if request.precision == "auto" and not worth_its_precision(outcome, [one for one in outcomes if one.usable]):
        base = fastest_float(outcomes)
        gain = 100 * (base.milliseconds / outcome.milliseconds - 1) if base else 0.0
        pace = f"{gain:.0f}% faster" if gain >= 0 else f"{-gain:.0f}% slower"
        cost = (
            f", {100 * outcome.verdict.drop:.1f} points worse" if outcome.verdict and outcome.verdict.drop > 0 else ""
        )
        return f"{outcome.candidate.precision.upper()} is not worth it here: {pace}{cost}"
    return f"{outcome.milliseconds - kept.milliseconds:.1f} ms slower than {_name(kept, outcomes)}"


def _why_kept(outcome: Outcome, outcomes: Sequence[Outcome], request: BuildRequest) -> str:
    rivals = [one for one in outcomes if one is not outcome and one.usable]
    if rivals:
        reason = "the fastest"
    elif request.backend == "auto" and request.precision != "auto":
        reason = "the only one that runs here"
    elif request.precision == "auto":
        reason = "the only one that may be kept"
    else:
        reason = "asked for"
    base = fastest_float(outcomes)
    if base is not None and base is not outcome and outcome.speed is not None and base.speed is not None:
        ratio = base.milliseconds / outcome.milliseconds
        reason += f", {ratio:.2f} times as fast as fp32"
    return reason


def _name(outcome: Outcome, outcomes: Sequence[Outcome]) -> str:
    """The backend, and the precision where several are compared."""
    several = len({one.candidate.precision for one in outcomes if not one.reference}) > 1
    return (
        f"{outcome.candidate.backend.name} {outcome.candidate.precision}" if several else outcome.candidate.backend.name
    )
