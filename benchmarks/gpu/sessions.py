"""Sessions on the GPU that need no network library: right masks, the same with a graph as without, and their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.backends.options import RunOptions
from fcn_edge.errors import FcnEdgeError, ModelError
from fcn_edge.evaluation.latency import speeds_of
from fcn_edge.ops.geometry import placement
from gpu.real_scores import RealScores
from gpu.reference import wrong_pixels
from gpu.stand_ins import Stand, StandInEngine, echo, echo_frames, echoed, stored
from gpu.subject import Row, Subject
from gpu.times import gpu_times

__all__ = ["check", "disagreement", "not_captured", "opened", "ordered"]

DISTINCT = 8
"""Different frames among those of ``frames``; more would be drawn for longer than they run."""


def check(subject: Subject) -> Iterator[Row]:
    """Masks of echoed frames, of one that is not a number, and of labels; those of stored scores, with their times."""
    for part in (_echoed, _labelled, _timed):
        yield from _guarded(part, subject)


def _guarded(part: Callable[[Subject, ExitStack], Iterator[Row]], subject: Subject) -> Iterator[Row]:
    try:
        with ExitStack() as stack:
            yield from part(subject, stack)
    except FcnEdgeError as error:  # the other parts may do better
        yield {"failed": str(error), "agree": False}


def opened(
    subject: Subject, stand: Stand, stack: ExitStack, integrated: bool | None = None
) -> tuple[dict[str, CudaSession], list[Row]]:
    """Sessions with a graph and without, by name; and rows for those that could not be as they should.

    Args:
        subject: The GPU.
        stand: What they run.
        stack: Closes them.
        integrated: Whether the GPU is to pass for one that shares the processor's memory.
    """
    sessions, rows = {}, []
    for graphs in (True, False):
        device = subject.open(integrated)
        if graphs and not device.has_graphs:
            rows.append({"graph": True, "absent": f"{device.facts.library} cannot capture them."})
            device.close()
            continue
        engine = stack.enter_context(StandInEngine(device, stand, RunOptions(graphs=graphs)))
        sessions["graph" if graphs else "no graph"] = stack.enter_context(engine.session())
    return sessions, rows


def not_captured(session: CudaSession) -> Row:
    """What a row says of a session whose frames should have become a graph; nothing where they did."""
    if not session.capture_failure:
        return {}
    return {"failed": f"Frames are not captured into a graph: {session.capture_failure}.", "agree": False}


def disagreement(sessions: dict[str, CudaSession], frames: list[NDArray[np.uint8]], count: int) -> int:
    """How many of so many frames have another mask in one session than in another.

    Args:
        sessions: By name.
        frames: Taken in turn.
        count: How many.
    """
    differ = 0
    for index in range(count):
        frame = frames[index % len(frames)]
        masks = [session.labels(frame) for session in sessions.values()]
        differ += any(not np.array_equal(masks[0], mask) for mask in masks[1:])
    return differ


def _timed(subject: Subject, stack: ExitStack) -> Iterator[Row]:
    real, settings = subject.references.real, subject.settings
    sessions, rows = opened(subject, stored(real), stack)
    yield from rows
    wrong = {name: _wrong(session, real) for name, session in sessions.items()}
    speeds = speeds_of(
        sessions,
        real.frames,
        source=real.source,
        devices=dict.fromkeys(sessions, "stored scores: all of a frame but the network"),
        seconds=settings.seconds,
    )
    for name, session in sessions.items():
        row: Row = {"session": "stored scores", "graph": name == "graph", "wrong_pixels": wrong[name]}
        row |= {"agree": True} if not wrong[name] else _failed(f"{wrong[name]} pixels of its mask are wrong")
        row |= {"speed": speeds[name].model_dump(mode="json")}
        yield row | {"gpu_ms": gpu_times(session, real.frames, settings.repeats)} | not_captured(session)


def _wrong(session: CudaSession, real: RealScores) -> int:
    frame = real.frames[0]
    place = placement((frame.shape[0], frame.shape[1]), real.size, real.spec.resize)
    mapping = place.mapping(real.spec.stride, real.spec.geometry)
    return wrong_pixels(session.labels(frame), real.scores[0].astype(np.float16), mapping, real.spec.void)


def _echoed(subject: Subject, stack: ExitStack) -> Iterator[Row]:
    real, settings = subject.references.real, subject.settings
    stand = echo(real)
    frames = echo_frames((real.frames[0].shape[0], real.frames[0].shape[1]), min(settings.frames, DISTINCT))
    sessions, _ = opened(subject, stand, stack)
    host = stack.enter_context(StandInEngine(subject.open(), stand, RunOptions(preprocess_on="host")))
    on_host = stack.enter_context(host.session())
    scores, mapping = echoed(stand, frames[0])
    wrong = wrong_pixels(on_host.labels(frames[0]), scores, mapping, stand.spec.void)
    row: Row = {"session": "echoed frames, preprocessed on the host", "wrong_pixels": wrong, "agree": wrong == 0}
    yield row if not wrong else row | _failed(f"{wrong} pixels of a mask are wrong")

    differ = disagreement(sessions, frames, settings.frames)
    row = {"session": "echoed frames", "frames": settings.frames, "unlike_without_a_graph": differ, "agree": not differ}
    yield row if not differ else row | _failed(f"{differ} of {settings.frames} masks are others with a graph")

    for name, session in sessions.items():
        row = {"session": f"a frame of NaN, and one after it, {name}"}
        yield row | _recovers(session, frames[0], np.full_like(frames[0], 255))
        row = {"session": f"order of a frame's events, {name}"}
        yield row | ordered(session, frames[0]) | not_captured(session)


def _recovers(session: CudaSession, clean: NDArray[np.uint8], spoiled: NDArray[np.uint8]) -> Row:
    before = session.labels(clean)
    try:
        session.labels(spoiled)
    except ModelError:
        same = np.array_equal(before, session.labels(clean))
        return {"agree": True} if same else _failed("the frame after one of NaN has another mask than before it")
    return _failed("scores of NaN were not found")


def ordered(session: CudaSession, frame: NDArray[np.uint8]) -> Row:
    """Whether the parts of a frame follow each other, within the time that all of it takes the processor."""
    begun = time.perf_counter_ns()
    job = session.infer(session.preprocess(frame))
    session.postprocess(job)
    wall = time.perf_counter_ns() - begun
    gpu = job.timing.gpu
    assert gpu is not None
    parts = [part for part in (gpu.host_to_device, gpu.compute, gpu.device_to_host) if part is not None]
    stages = [job.timing.preprocess, job.timing.infer, job.timing.decode]
    row = {"gpu_ns": parts, "wall_ns": wall}
    if min(parts + stages) < 0:
        return row | _failed(f"a part of the frame ended before it began: {parts + stages} ns")
    if not 0 < sum(parts) <= wall:
        return row | _failed(f"the GPU's parts are {sum(parts)} ns, the whole frame {wall} ns")
    return row | {"agree": True}


def _labelled(subject: Subject, stack: ExitStack) -> Iterator[Row]:
    real = subject.references.real
    stand = echo(real, "labels")
    (frame,) = echo_frames(real.size, 1, len(real.spec.classes))
    sessions, _ = opened(subject, stand, stack)
    wanted = frame.reshape(-1)[: frame.shape[0] * frame.shape[1]].reshape(real.size)
    for name, session in sessions.items():
        wrong = int((session.labels(frame) != wanted).sum())
        row: Row = {"session": f"echoed labels, {name}", "wrong_pixels": wrong, "agree": wrong == 0}
        yield (row if not wrong else row | _failed(f"{wrong} labels are others")) | not_captured(session)


def _failed(what: str) -> Row:
    return {"failed": f"A session is wrong: {what}.", "agree": False}
