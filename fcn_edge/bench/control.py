"""The control: the same work in every round, which tells how steady the machine was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fcn_edge.artifacts.models import Model
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.engines import ReadyEngine, ready_engine
from fcn_edge.bench.measured import Measured, Request
from fcn_edge.bench.plan import PlannedRow
from fcn_edge.bench.result import Control
from fcn_edge.bench.times import round_median_ms

__all__ = ["CONTROL_SIZE", "control_of", "control_request", "unsteadiness"]

CONTROL_SIZE = (256, 320)
FRAMES = 3
"""Frames of the control for each frame of a row: it is small, and all depends on it."""


def control_request(
    model: Model, engines: Iterable[ReadyEngine], folder: Path, frames: Path, count: int, device: int
) -> Request:
    """What the control does: FP32 at 256x320; on the GPU where a row runs on one, of which a processor tells nothing.

    Args:
        model: Model of the control.
        engines: Engines of the rows.
        folder: Where engines are kept.
        frames: File of the frames.
        count: Frames of each row.
        device: Index of the GPU.

    Raises:
        FcnEdgeError: Its engine cannot be built.
    """
    gpu = next((one.manifest.backend for one in engines if BACKENDS[one.manifest.backend].device == "cuda"), None)
    request = Request(
        model=str(model.path),
        frames=str(frames),
        count=FRAMES * count,
        warm_up=FRAMES,
        ends="scores",
        size=CONTROL_SIZE,
    )
    if gpu is None:
        return request
    row = PlannedRow(model.shipped or model.path.name, model, "fp32", gpu, CONTROL_SIZE, "scores")
    return replace(request, model=str(ready_engine(row, folder, device).path), size=None, device=device)


def control_of(name: str, rounds: Iterable[Measured], waits: Iterable[Measured] = ()) -> Control:
    """How the control went.

    Args:
        name: Name of its model.
        rounds: What it did in each round, at least one.
        waits: What it did while the run waited.
    """
    rounds = list(rounds)
    times, others = (tuple(round_median_ms(one.whole_ns) for one in some) for some in (rounds, waits))
    height, width = CONTROL_SIZE
    return Control(
        name=f"{name} fp32 {rounds[0].backend} {height}x{width}",
        rounds=times,
        waits=others,
        moved=round(max(times) / min(times) - 1, 5),
    )


def unsteadiness(control: Control, drift: float) -> str:
    """Why a run is not to be relied on, in a sentence; empty where it is.

    Args:
        control: How the control went.
        drift: How much it may move, as a share.
    """
    if control.moved <= drift:
        return ""
    return (
        f"The control took {min(control.rounds):.2f} to {max(control.rounds):.2f} ms ({control.moved:.0%} apart, "
        f"{drift:.0%} allowed): the machine was not steady."
    )
