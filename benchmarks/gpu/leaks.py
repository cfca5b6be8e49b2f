"""Engines opened and closed over and over: neither the GPU's memory nor the process's may grow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gpu.stand_ins import StandInEngine, echo, echo_frames
from gpu.subject import Row, Subject

__all__ = ["check"]

_FIRST = 3
"""Times before the first measurement: libraries keep what they need once."""

_MOST_GROWTH = {"of the GPU": 4 << 20, "of the process": 16 << 20}
"""Bytes that drivers and allocators may keep for themselves over all of the times."""


def check(subject: Subject) -> Iterator[Row]:
    """One row, with the free memory before and after."""
    real = subject.references.real
    (frame,) = echo_frames((real.frames[0].shape[0], real.frames[0].shape[1]), 1)
    times = max(subject.settings.rounds // 4, 2)
    with subject.open() as device, device.current():  # one more user keeps the context
        for index in range(_FIRST + times):
            if index == _FIRST:
                free, resident = device.free_bytes(), _resident()
            with StandInEngine(subject.open(), echo(real)) as engine, engine.session() as session:
                session.labels(frame)
        lost, grown = free - device.free_bytes(), _resident() - resident
    row: Row = {"opened_and_closed": times, "gpu_bytes_lost": lost, "resident_bytes_grown": grown}
    left = {"of the GPU": lost, "of the process": grown}
    problems = [f"{nbytes} bytes {where}" for where, nbytes in left.items() if nbytes > _MOST_GROWTH[where]]
    row |= {"agree": not problems}
    yield row if not problems else row | {"failed": f"{times} engines leave {' and '.join(problems)} behind."}


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
