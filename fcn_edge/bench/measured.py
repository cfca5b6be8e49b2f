"""What a row is asked for in a round and what it answers: between processes, and in the journal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

from typing_extensions import Self

from fcn_edge import errors
from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import FcnEdgeError

__all__ = ["Measured", "Request", "WorkerError", "error_of", "failure_of", "measured_in_process"]

WORKER = "fcn_edge.bench.worker"
PROGRAM = "import importlib, sys; sys.path[:] = {path!r}; sys.exit(importlib.import_module({worker!r}).main())"
"""Imports what this process would import: ``-m`` would look into the current directory first."""

HUNG_SECONDS, HUNG_SECONDS_A_FRAME = 600, 10
"""A row of one round that takes longer than this has hung."""


class WorkerError(FcnEdgeError):
    """The process that measured a row was killed, hung or crashed: another time it may not."""


@dataclass(frozen=True)
class Request:
    """What a row is asked for.

    Attributes:
        model: ONNX file or engine directory.
        frames: File of ``(N, H, W, 3)`` uint8 BGR frames, as NumPy writes them.
        count: Frames to time; they go round.
        warm_up: Frames before them at least.
        ends: ``mask`` or ``scores``.
        size: ``(height, width)`` of the network's input, for an ONNX file.
        backend: What runs an ONNX file.
        threads: Threads of a CPU backend.
        device: Index of the GPU.
    """

    model: str
    frames: str
    count: int
    warm_up: int
    ends: Literal["mask", "scores"]
    size: Size | None = None
    backend: str = "auto"
    threads: int | None = None
    device: int = 0

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The request that ``asdict`` made of one."""
        size = content["size"]
        return cls(**{**content, "size": None if size is None else (size[0], size[1])})


@dataclass(frozen=True)
class Measured:
    """What a row did in a round.

    Attributes:
        backend: What ran it.
        load_ns: From the files to the first mask.
        whole_ns: Each frame from memory to its mask, or to its scores.
        stages_ns: Each frame's ``preprocess``, ``infer`` and, where it ends in a mask, ``decode``.
        gpu_ns: Each frame's ``GpuTimes`` by their names; empty on processors, and those that are no step are left out.
        fps: Frames a second of the pipeline; None where the row ends in scores.
        telemetry: What the machine's sensors told meanwhile: ``Telemetry.to_json()``.
        processed: Frames that were processed meanwhile.
        memory_bytes: Most memory that the process held, without the frames; None where the system does not tell.
    """

    backend: str
    load_ns: int
    whole_ns: list[int]
    stages_ns: dict[str, list[int]]
    gpu_ns: dict[str, list[int]]
    fps: float | None
    memory_bytes: int | None
    telemetry: dict[str, Any]
    processed: int

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What ``to_json`` made; keys that this version does not know are left out."""
        return cls(**{field.name: content[field.name] for field in fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


_KINDS: Mapping[str, type[FcnEdgeError]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (*vars(errors).values(), WorkerError)
        if isinstance(kind, type) and issubclass(kind, FcnEdgeError)
    }
)


def failure_of(error: FcnEdgeError) -> dict[str, str]:
    """An error as plain values."""
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS)
    return {"kind": kind, "error": error.message, "fix": error.fix}


def error_of(failure: Mapping[str, str]) -> FcnEdgeError:
    """The error that ``failure_of`` wrote down."""
    kind = _KINDS.get(failure["kind"], FcnEdgeError)
    error = FcnEdgeError.__new__(kind)
    FcnEdgeError.__init__(error, failure["error"], failure["fix"])
    return error


def measured_in_process(request: Request, worker: str = WORKER) -> Measured:
    """Measure a row in a process of its own, which ends with this one.

    Args:
        request: What is measured.
        worker: The module that measures it.

    Raises:
        FcnEdgeError: What the process says; ``WorkerError`` where it was killed, hung or crashed.
    """
    program = PROGRAM.format(path=sys.path, worker=worker)
    longest = HUNG_SECONDS + HUNG_SECONDS_A_FRAME * request.count
    with subprocess.Popen(
        [sys.executable, "-c", program, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            answer, words = process.communicate(json.dumps(asdict(request)).encode(), longest)
        except subprocess.TimeoutExpired:
            raise WorkerError(
                f"The process that measured {request.model} gave no answer for {longest // 60} minutes.",
                "See whether the device still answers: fcn-edge doctor",
            ) from None
        finally:
            process.kill()
    try:
        content = json.loads(answer)
    except ValueError:
        ended = f"was killed by signal {-process.returncode}" if process.returncode < 0 else "crashed"
        last = words.decode(errors="replace").strip().splitlines()[-1:] or [""]
        raise WorkerError(
            f"The process that measured {request.model} {ended}.",
            "Signal 9 mostly means that the memory was full." if process.returncode == -9 else last[0][:300],
        ) from None
    if "kind" in content:
        raise error_of(content)
    return Measured.from_json(content)
