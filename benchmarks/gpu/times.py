"""What a frame costs the GPU, divided at its copies in trtexec's terms."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.base import GpuTimes, Session

__all__ = ["gpu_times"]

_NS_PER_MS = 1e6


def gpu_times(session: Session, frames: Sequence[NDArray[np.uint8]], repeats: int) -> dict[str, float | None] | None:
    """Median milliseconds of each of ``GpuTimes``, None where nothing is copied; None in all on a processor.

    Frames follow each other one by one, so that none waits behind another. The session is warm.

    Args:
        session: What runs the network.
        frames: ``(H, W, 3)`` uint8 BGR, all of one size; taken in turn.
        repeats: How many frames are timed.
    """
    measured: list[GpuTimes] = []
    for index in range(repeats):
        job = session.infer(session.preprocess(frames[index % len(frames)]))
        session.postprocess(job)
        if job.timing.gpu is None:
            return None
        measured.append(job.timing.gpu)
    return {field.name: _median_ms([getattr(times, field.name) for times in measured]) for field in fields(GpuTimes)}


def _median_ms(values: Sequence[int | None]) -> float | None:
    """The median; a session copies all of its frames or none."""
    times = [value for value in values if value is not None]
    return round(statistics.median(times) / _NS_PER_MS, 4) if times else None
