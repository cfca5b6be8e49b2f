"""Failures that a GPU brings: no memory left, a kernel out of its memory, things closed in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.errors import MachineError, UsageError
from gpu.children import run_check
from gpu.stand_ins import StandInEngine, echo, echo_frames
from gpu.subject import Row, Subject

__all__ = ["check"]

_LEAST_BYTES = 1 << 16
"""Smaller pieces are left alone."""

_MOST_SLOTS = 64
_LIMIT_S = 40


def check(subject: Subject) -> Iterator[Row]:
    """A row for each."""
    real = subject.references.real
    frames = echo_frames((real.frames[0].shape[0], real.frames[0].shape[1]), 2)
    yield {"failure": "no memory left"} | _out_of_memory(subject, frames)
    yield {"failure": "the engine closed before its session"} | _closed_in_the_wrong_order(subject, frames[0])
    yield {"failure": "two sessions at once"} | _two_sessions(subject, frames)
    if not subject.request.alone:
        yield {"absent": "A kernel out of its memory needs a process of its own."}
        return
    outcome = run_check("illegal", subject.request, _LIMIT_S)
    told: Row = outcome.rows[-1] if outcome.rows else {"agree": False, "failed": f"It told nothing. {outcome.problem}"}
    # a context that is lost may make the process end badly, when all is said
    yield {"failure": "a kernel out of its memory"} | told | ({"ended": outcome.problem} if outcome.problem else {})


def _out_of_memory(subject: Subject, frames: list[NDArray[np.uint8]]) -> Row:
    device = subject.open()
    with StandInEngine(device, echo(subject.references.real)) as engine, engine.session() as session:
        before = session.labels(frames[0])
        with device.current(), ExitStack() as taken:
            free = device.free_bytes()
            _take_all(device, free, taken)
            said, slots = _fill(session, frames[1])
        after = session.labels(frames[0])
    row = {"free_bytes": free, "frames_under_way": slots, "said": said}
    if "no memory left" not in said:
        return row | {"agree": False, "failed": f"A GPU without memory is told as: {said or 'nothing'}"}
    if not np.array_equal(before, after):
        return row | {"agree": False, "failed": "After the GPU had no memory left, a mask is another."}
    return row | {"agree": True}


def _take_all(device: Device, free: int, taken: ExitStack) -> None:
    """Allocate whatever there is, the largest pieces first."""
    size = free
    while size >= _LEAST_BYTES:
        if not _took(device, size, taken):
            size //= 2


def _took(device: Device, size: int, taken: ExitStack) -> bool:
    try:
        taken.enter_context(device.device_buffer(size))
    except MachineError:
        return False
    return True


def _fill(session: CudaSession, frame: NDArray[np.uint8]) -> tuple[str, int]:
    """Frames that are begun and not ended, until there is no memory: what is said then, and how many there are."""
    jobs: list[Any] = []
    try:
        while len(jobs) < _MOST_SLOTS:
            jobs.append(session.infer(session.preprocess(frame)))
    except MachineError as error:
        return str(error), len(jobs)
    return "", len(jobs)


def _closed_in_the_wrong_order(subject: Subject, frame: NDArray[np.uint8]) -> Row:
    engine = StandInEngine(subject.open(), echo(subject.references.real))
    session = engine.session()
    job: Any = session.infer(session.preprocess(frame))
    engine.close()
    try:
        session.postprocess(job)
        said = ""
    except UsageError as error:
        said = str(error)
    del job
    session.close()
    engine.close()
    row: Row = {"said": said, "agree": bool(said)}
    return row if said else row | {"failed": "A session whose engine is closed still gives a mask."}


def _two_sessions(subject: Subject, frames: list[NDArray[np.uint8]]) -> Row:
    with (
        StandInEngine(subject.open(), echo(subject.references.real)) as engine,
        engine.session() as one,
        engine.session() as other,
    ):
        alone = [one.labels(frame) for frame in frames]
        jobs = [(session, session.infer(session.preprocess(frame))) for frame in frames for session in (other, one)]
        masks = [session.postprocess(job) for session, job in jobs]
    right = all(np.array_equal(mask, alone[number // 2]) for number, mask in enumerate(masks))
    return {"agree": True} if right else {"agree": False, "failed": "Two sessions at once give other masks than one."}
