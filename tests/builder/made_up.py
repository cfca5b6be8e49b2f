"""Outcomes of candidates that nobody built."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from fcn_edge.artifacts.device import DeviceInfo
from fcn_edge.artifacts.records import Speed
from fcn_edge.backends.base import Built
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.builder.candidates import Candidate
from fcn_edge.builder.compiled import CompiledCandidate
from fcn_edge.builder.identity import EngineIdentity
from fcn_edge.builder.outcome import Outcome
from fcn_edge.builder.typed_onnx import TypedFile
from fcn_edge.evaluation.guard import Verdict
from fcn_edge.testing.engine import fake_spec

CPU = DeviceInfo("cpu", "Fake", "avx2")


def outcome(
    precision: str = "fp32",
    ms: float | None = 10.0,
    *,
    holds: bool | None = None,
    drop: float = 0.0,
    backend: str = "onnxruntime",
    **changes: Any,
) -> Outcome:
    """What came of a candidate, made up."""
    made = type("Made", (OnnxRuntime,), {"name": backend})()
    spec = fake_spec(precision=precision, profile="p" if precision == "int8" else None)
    identity = EngineIdentity("0" * 64, spec, (64, 96), precision, backend, "1", CPU, {})
    candidate = Candidate(made, identity, runs=ms is not None)
    share = 0.95 if precision == "int8" else None
    compiled = CompiledCandidate(candidate, TypedFile(Path("x"), spec, share), None, Path(), (), Built(()), 1.0)
    speed = None
    if ms is not None:
        speed = Speed(network_ms=1, end_to_end_ms=ms, frames=1, frame_size=(1, 1), source="", device="")
    verdict = None if holds is None else Verdict(holds, drop, "", 0.0, f"loses {drop}")
    return dataclasses.replace(Outcome(candidate, compiled, verdict, speed), **changes)
