"""How long a frame takes from memory to its mask."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends.base import Session
from fcn_edge.measured import Speed

__all__ = ["speed_of"]

_WARM_UP = 2
_FEWEST, _MOST = 5, 50
_NS_PER_MS = 1e6


def speed_of(
    session: Session, frames: Sequence[NDArray[np.uint8]], *, source: str, device: str, seconds: float = 2.0
) -> Speed:
    """Median times of frames that pass a session one after the other.

    Args:
        session: Runs the network.
        frames: ``(H, W, 3)`` uint8 BGR, all of one size; taken in turn.
        source: What the frames show.
        device: What the network runs on.
        seconds: About how long to measure: 5 frames at least, 50 at most.
    """
    for frame in frames[:_WARM_UP]:
        session.labels(frame)
    whole: list[int] = []
    network: list[int] = []
    deadline = time.perf_counter_ns() + round(seconds * 1e9)
    while len(whole) < _FEWEST or (len(whole) < _MOST and time.perf_counter_ns() < deadline):
        frame = frames[len(whole) % len(frames)]
        started = time.perf_counter_ns()
        job = session.infer(session.prepare(frame))
        session.finish(job)
        whole.append(time.perf_counter_ns() - started)
        network.append(job.timing.infer)
    return Speed(
        network_ms=round(statistics.median(network) / _NS_PER_MS, 3),
        end_to_end_ms=round(statistics.median(whole) / _NS_PER_MS, 3),
        frames=len(whole),
        frame_size=(frames[0].shape[0], frames[0].shape[1]),
        source=source,
        device=device,
    )
