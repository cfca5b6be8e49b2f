"""What a build has to say of the engine that it kept: what guarded it, and what its user should be warned of."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.artifacts.models import Model
from fcn_edge.backends import registry
from fcn_edge.builder.options import Request
from fcn_edge.builder.outcome import Result, _worth, fastest_float
from fcn_edge.runtime.segmenter import has_nvidia_gpu

__all__ = ["Candidate", "candidates_of", "guard_sentence", "warnings_of"]


def guard_sentence(result: Result, request: Request, model: Model) -> str:
    """What a plan was held against, for ``engine.json``; empty for the float network itself."""
    if result.verdict is not None:
        return result.verdict.sentence
    if result.plan.precision == "fp32":
        return ""
    if not request.guard:
        return "none: it was built with --no-guard"
    return f"none: the fp32 model that the {model.spec.precision} graph was made from is not at hand"


def warnings_of(kept: Result, results: Sequence[Result], request: Request, model: Model) -> tuple[str, ...]:
    """What the user should know of the engine, a sentence each."""
    plan, base = kept.plan, fastest_float(results)
    warnings = _warnings_of_the_table(results, request, model)
    slow = base is not None and kept.speed is not None and kept.milliseconds >= base.milliseconds
    if base is not None and slow and plan.precision != "fp32":
        warnings.append(
            f"{plan.precision} was asked for and is no faster than fp32 here: {kept.milliseconds:.1f} ms a frame, and "
            f"{base.plan.backend.name} fp32 takes {base.milliseconds:.1f} ms."
        )
    if not request.guard and plan.precision != "fp32":
        warnings.append("It was built with --no-guard: nobody has looked at what it gives.")
    elif model.spec.precision != "fp32":
        warnings.append(
            f"It was not judged: {model.path} is an {model.spec.precision} graph already, and the fp32 model that it "
            "was made from is not at hand."
        )
    if not plan.runs:
        judged = "judged through its ONNX graph in ONNX Runtime, and " if kept.verdict is not None else ""
        kind = registry.BACKENDS[plan.backend.name].device
        warnings.append(f"This machine cannot run it: it was {judged}not timed. It is for a {kind} device.")
    return tuple(warnings)


def _warnings_of_the_table(results: Sequence[Result], request: Request, model: Model) -> list[str]:
    if model.spec.precision != "fp32":
        return []
    if request.precision == "fp32" and request.calibration is not None:
        return [f"{request.calibration} changes nothing in fp32: --precision int8 or auto uses a calibration table."]
    if request.precision == "auto" and all(result.plan.precision != "int8" for result in results):
        name = shlex.quote(str(model.shipped or model.path))
        return [
            "INT8 was not tried: the model has no calibration table; make one with "
            f"fcn-edge calibrate {name} --images DIR -o table.json, and give it with --calibration table.json."
        ]
    return []


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
