"""The ways to run a model on this machine: built, timed, compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.backends import registry
from fcn_edge.backends.base import Backend, Built
from fcn_edge.errors import FcnEdgeError
from fcn_edge.measure.latency import speed_of
from fcn_edge.measured import Speed
from fcn_edge.models import Model
from fcn_edge.staleness import Identity

__all__ = ["Candidate", "Trial", "candidates_of", "fastest", "trials_of"]


@dataclass(frozen=True)
class Candidate:
    """One way to run the model that was considered.

    Attributes:
        backend: Its backend.
        precision: Of its plan.
        end_to_end_ms: Median time of a frame from memory to its mask; None when it was not measured.
        miou: Its accuracy; None when it was not measured.
        kept: This one became the engine.
        reason: Why it was kept, or not.
    """

    backend: str
    precision: str
    end_to_end_ms: float | None
    miou: float | None
    kept: bool
    reason: str


@dataclass(frozen=True)
class Trial:
    """A candidate that was built and timed.

    Attributes:
        identity: What it is bound to.
        directory: Where it lies.
        built: What the backend left there.
        plan: Name of the file that the library opens.
        seconds: How long the build took.
        speed: How fast it is.
    """

    identity: Identity
    directory: Path
    built: Built
    plan: str
    seconds: float
    speed: Speed


def trials_of(
    model: Model,
    chosen: Sequence[Backend],
    identities: dict[str, Identity],
    workspace: Path,
    frames: Sequence[NDArray[np.uint8]],
    tell: Callable[[str], None] | None,
) -> tuple[dict[str, Trial], dict[str, FcnEdgeError]]:
    """Build and time each candidate.

    Args:
        model: What to build.
        chosen: The backends to build it for.
        identities: What each candidate is bound to, by backend.
        workspace: A directory; each candidate gets one in it.
        frames: ``(H, W, 3)`` uint8 BGR, what to time them on.
        tell: Called with a line before each build.

    Returns:
        The candidates that run, and why the others do not, by backend.

    Raises:
        FcnEdgeError: None runs; the error is the first one's.
    """
    trials: dict[str, Trial] = {}
    failures: dict[str, FcnEdgeError] = {}
    for made in chosen:
        if tell is not None:
            tell(f"Building for {made.name} {identities[made.name].library} ...")
        try:
            trials[made.name] = _trial(model, made, identities[made.name], workspace / made.name, frames)
        except FcnEdgeError as error:
            failures[made.name] = error
    if not trials:
        raise next(iter(failures.values()))
    return trials, failures


def _trial(
    model: Model, made: Backend, identity: Identity, directory: Path, frames: Sequence[NDArray[np.uint8]]
) -> Trial:
    directory.mkdir()
    started = time.perf_counter()
    built = made.build(model.path, directory, identity.size)
    seconds = time.perf_counter() - started
    with made.open(directory, model.spec, identity.size) as engine, engine.session() as session:
        speed = speed_of(session, frames, source="rendered street", device=identity.device.name)
    return Trial(identity, directory, built, made.plan, seconds, speed)


def fastest(trials: dict[str, Trial]) -> str:
    """The backend whose candidate takes the least time for a frame."""
    return min(trials, key=lambda name: trials[name].speed.end_to_end_ms)


def candidates_of(
    precision: str, trials: dict[str, Trial], failures: dict[str, FcnEdgeError], *, absent: bool
) -> tuple[Candidate, ...]:
    """What was considered, and why it was kept or not.

    Args:
        precision: Of the plans.
        trials: The candidates that run, by backend; not empty.
        failures: Why the others that were built do not, by backend.
        absent: Name the backends that cannot run on this machine too.
    """
    kept = fastest(trials)
    best = trials[kept].speed.end_to_end_ms
    made = []
    for name, trial in trials.items():
        ms = trial.speed.end_to_end_ms
        if name == kept:
            reason = "the fastest" if len(trials) > 1 else "the only one that runs here" if absent else "asked for"
        else:
            reason = f"{ms - best:.1f} ms slower than {kept}"
        made.append(Candidate(name, precision, ms, None, name == kept, reason))
    made += [Candidate(name, precision, None, None, False, error.message) for name, error in failures.items()]
    if absent:
        others = [name for name in registry.BACKENDS if name not in trials and name not in failures]
        made += [
            Candidate(name, precision, None, None, False, registry.backend(name).probe().problem) for name in others
        ]
    return tuple(made)
