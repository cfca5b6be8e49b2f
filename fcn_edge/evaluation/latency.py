"""How long a frame takes from memory to its mask."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.records import Speed
from fcn_edge.backends.base import Session

__all__ = ["speeds_of"]

_WARM_UP = 2
_FEWEST, _MOST = 5, 50
_NS_PER_MS = 1e6


def speeds_of(
    sessions: Mapping[str, Session],
    frames: Sequence[NDArray[np.uint8]],
    *,
    source: str,
    devices: Mapping[str, str],
    seconds: float = 2.0,
) -> dict[str, Speed]:
    """Median times of frames that pass several sessions, one frame after the other.

    The sessions take turns, so that a busy machine slows all of them alike and their ratios hold. One whose network
    takes several frames at once is given as many each time, and its times are divided by their number.

    Args:
        sessions: What runs the networks, by name.
        frames: ``(H, W, 3)`` uint8 BGR, all of one size; taken in turn.
        source: What the frames show.
        devices: What each runs on, by the same names.
        seconds: About how long to measure each: 5 frames at least, 50 at most.
    """
    for session in sessions.values():
        for frame in frames[:_WARM_UP]:
            session.labels(frame)
    whole: dict[str, list[int]] = {name: [] for name in sessions}
    network: dict[str, list[int]] = {name: [] for name in sessions}
    deadline = time.perf_counter_ns() + round(seconds * len(sessions) * 1e9)
    rounds = 0
    while rounds < _FEWEST or (rounds < _MOST and time.perf_counter_ns() < deadline):
        for name, session in sessions.items():
            started = time.perf_counter_ns()
            jobs = [session.preprocess(frames[(rounds + place) % len(frames)]) for place in range(session.batch)]
            session.infer_batch(jobs)
            for job in jobs:
                session.postprocess(job)
            whole[name].append((time.perf_counter_ns() - started) // session.batch)
            network[name].append(jobs[0].timing.infer)
        rounds += 1
    return {
        name: Speed(
            network_ms=round(statistics.median(network[name]) / _NS_PER_MS, 3),
            end_to_end_ms=round(statistics.median(whole[name]) / _NS_PER_MS, 3),
            frames=rounds * sessions[name].batch,
            frame_size=(frames[0].shape[0], frames[0].shape[1]),
            source=source,
            device=devices[name],
        )
        for name in sessions
    }
