"""What a build has to say of the engine that it kept: what guarded it, and what its user should be warned of."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fcn_edge.artifacts.models import Model
from fcn_edge.backends import registry
from fcn_edge.build.candidates import Result, fastest_float
from fcn_edge.build.request import Request

__all__ = ["guard_sentence", "warnings_of"]


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
