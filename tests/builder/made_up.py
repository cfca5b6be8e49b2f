"""Results of plans that nobody built."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.device import Device
from fcn_edge.artifacts.records import Speed
from fcn_edge.backends.base import Built
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.builder.candidates import Plan
from fcn_edge.builder.compiled import Trial
from fcn_edge.builder.identity import Identity
from fcn_edge.builder.outcome import Result
from fcn_edge.builder.typed_onnx import TypedFile
from fcn_edge.evaluation.guard import Verdict
from fcn_edge.testing.engine import fake_spec

CPU = Device("cpu", "Fake", "avx2")


def result(
    precision: str = "fp32",
    ms: float | None = 10.0,
    *,
    holds: bool | None = None,
    drop: float = 0.0,
    backend: str = "onnxruntime",
    **changes: Any,
) -> Result:
    """What came of a plan, made up."""
    made = type("Made", (OnnxRuntime,), {"name": backend})()
    spec = fake_spec(precision=precision, profile="p" if precision == "int8" else None)
    identity = Identity("0" * 64, spec, (64, 96), precision, backend, "1", CPU, {})
    plan = Plan(made, identity, runs=ms is not None)
    share = 0.95 if precision == "int8" else None
    trial = Trial(plan, TypedFile(Path("x"), spec, share), None, Path(), (), Built(()), 1.0)
    speed = None
    if ms is not None:
        speed = Speed(network_ms=1, end_to_end_ms=ms, frames=1, frame_size=(1, 1), source="", device="")
    verdict = None if holds is None else Verdict(holds, drop, "", 0.0, f"loses {drop}")
    return dataclasses.replace(Result(plan, trial, verdict, speed), **changes)
