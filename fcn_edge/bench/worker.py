"""One row of one round, in a process of its own.

A process of its own, because thread pools of several libraries disturb each other, because the memory that it holds at
most is the row's own, and because where a process's memory happens to lie moves its times by a few percent: within one
process that would look like a property of the row.

``main`` reads one JSON object, a request, from standard input and writes one, what was measured, to standard output. It
ends when the process does whose number is given as argument.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.base import GpuTimes, Session, Timing
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.measured import Measured, Request, failure_of
from fcn_edge.bench.memory_source import MemorySource
from fcn_edge.errors import FcnEdgeError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.segmenter import load
from fcn_edge.system.allocator import keep_freed_memory
from fcn_edge.system.memory import peak_bytes
from fcn_edge.system.telemetry import Sampler
from fcn_edge.system.thread_pools import owned_thread_pools

__all__ = ["main", "measure"]

Frames = NDArray[np.uint8]
"""``(N, H, W, 3)`` uint8 BGR."""

GPU_TIMES = tuple(field.name for field in fields(GpuTimes))

FILLING = 3
"""Frames that pass before every thread of the pipeline is busy."""

LEAST_WARM_UP_NS = 250_000_000
"""Clocks need a while to rise, however fast the frames are."""


def main() -> int:
    """Measure what standard input asks for; returns the exit code."""
    request = Request.from_json(json.load(sys.stdin))
    threading.Thread(target=_end_with_parent, args=(int(sys.argv[1]),), daemon=True).start()
    # what libraries print must not come between
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        content = measure(request).to_json()
        code = 0
    except FcnEdgeError as error:
        content, code = failure_of(error), error.exit_code
    with answer:
        json.dump(content, answer)
    return code


def _end_with_parent(parent: int) -> None:
    """A parent that was killed leaves nobody to answer, and a resumed run would be disturbed."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def measure(request: Request) -> Measured:
    """Load a model and time its frames.

    Raises:
        FcnEdgeError: What ``load`` or the session raises.
    """
    keep_freed_memory()
    # read and not mapped: pages of the file would count as memory of the row
    frames: Frames = np.load(request.frames, allow_pickle=False)
    with owned_thread_pools():
        started = time.perf_counter_ns()
        segmenter = load(
            Path(request.model),
            size=request.size,
            backend=request.backend,
            threads=request.threads,
            device=request.device,
        )
        load_ns = time.perf_counter_ns() - started
        with segmenter:
            on_gpu = BACKENDS[segmenter.backend].device == "cuda"
            # before the warm-up, so that nothing cools down in between
            sampler = Sampler(request.device if on_gpu else None)
            stream = segmenter.session_for_stream() if request.ends == "mask" else None
            _warm_up(segmenter.session, frames, request.warm_up)
            memory = peak_bytes()
            with sampler:
                if stream is None:
                    timings, whole_ns = _to_scores(segmenter.session, frames, request.count, on_gpu=on_gpu)
                else:
                    timings, whole_ns = _to_masks(segmenter.session, frames, request.count)
            fps = None if stream is None else _overlapping(stream, frames, request.count)
    stages = ("preprocess", "infer") if request.ends == "scores" else ("preprocess", "infer", "decode")
    return Measured(
        backend=segmenter.backend,
        load_ns=load_ns,
        whole_ns=whole_ns,
        stages_ns={name: [getattr(timing, name) for timing in timings] for name in stages},
        gpu_ns=_gpu_times([timing.gpu for timing in timings if timing.gpu is not None and request.ends == "mask"]),
        fps=fps,
        telemetry=sampler.telemetry.to_json(),
        processed=request.count,
        memory_bytes=None if memory is None else memory - frames.nbytes,
    )


def _warm_up(session: Session, frames: Frames, least: int) -> None:
    started, count = time.perf_counter_ns(), 0
    while count < least or time.perf_counter_ns() - started < LEAST_WARM_UP_NS:
        session.labels(frames[count % len(frames)])
        count += 1


def _to_masks(session: Session, frames: Frames, count: int) -> tuple[list[Timing], list[int]]:
    """Stages and whole time of each frame, from memory to its mask, in nanoseconds."""
    timings, whole = [], []
    for index in range(count):
        frame = frames[index % len(frames)]
        started = time.perf_counter_ns()
        job = session.infer(session.preprocess(frame))
        session.postprocess(job)
        whole.append(time.perf_counter_ns() - started)
        timings.append(job.timing)
    return timings, whole


def _to_scores(session: Session, frames: Frames, count: int, *, on_gpu: bool) -> tuple[list[Timing], list[int]]:
    """The same to its scores. A GPU's session enqueues the decoder as well: there the stages' own times are summed."""
    timings, whole = [], []
    for index in range(count):
        frame = frames[index % len(frames)]
        started = time.perf_counter_ns()
        job = session.infer(session.preprocess(frame))
        ended = time.perf_counter_ns()
        if on_gpu:
            session.postprocess(job)
        whole.append(job.timing.preprocess + job.timing.infer if on_gpu else ended - started)
        timings.append(job.timing)
    return timings, whole


def _gpu_times(times: Sequence[GpuTimes]) -> dict[str, list[int]]:
    named = {name: [getattr(one, name) for one in times] for name in GPU_TIMES}
    return {name: values for name, values in named.items() if values and None not in values}


def _overlapping(session: Session, frames: Frames, count: int) -> float:
    """Frames a second of the pipeline, counted from when it is full."""
    filling = FILLING + session.batch
    with (
        MemorySource(frames, count + filling) as source,
        Pipeline.of_one(session, source, frames=count + filling) as pipeline,
    ):
        started = 0
        for done, _ in enumerate(pipeline, 1):
            if done == filling:
                started = time.perf_counter_ns()
        return count / (time.perf_counter_ns() - started) * NS_PER_S
