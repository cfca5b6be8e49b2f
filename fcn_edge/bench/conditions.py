"""What two runs were measured under: what keeps their times from being compared, and what else changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fcn_edge.bench.result import BenchResult, Row

__all__ = ["change_of", "changed_versions", "chose_others", "differing_conditions"]

_MACHINE = {
    "processor": ("cpu", "name"),
    "cores": ("cpu", "cores"),
    "instruction set": ("cpu", "instruction_set"),
    "board": ("jetson", "board"),
    "power mode": ("jetson", "power_mode"),
    "NVIDIA hardware": ("nvidia", "names"),
}
"""What makes another machine of it, and where ``MachineFacts.to_json()`` has it."""

_VERSIONS = {
    "Python": ("software", "python"),
    "OpenCV": ("software", "opencv", "version"),
    "NVIDIA driver": ("nvidia", "driver"),
    "CUDA of the driver": ("nvidia", "cuda"),
    "JetPack": ("jetson", "jetpack"),
    "L4T": ("jetson", "l4t"),
    "clock governor": ("cpu", "governor"),
    "system": ("system",),
}
_GROUPS = {"": ("software", "packages"), "Debian's ": ("software", "debian"), "environment: ": ("environment",)}
"""Objects whose keys are compared one by one, and what stands in front of a key."""

Change = tuple[str, str, str]
"""What changed, how it was before, and how it is after; empty where it is not there."""


def differing_conditions(before: BenchResult, after: BenchResult) -> list[Change]:
    """What differs so that times say nothing of the software: machine, threads, frames, and what rows end with."""
    found = [(what, _at(before, path), _at(after, path)) for what, path in _MACHINE.items()]
    found += [("threads", before.threads, after.threads), ("frames", before.frames, after.frames)]
    earlier = {row.name: row for row in before.rows}
    for row in after.rows:
        if row.name in earlier and row.state == earlier[row.name].state == "measured":
            found += _of_row(earlier[row.name], row)
    return list(_changes(found))


def changed_versions(before: BenchResult, after: BenchResult) -> list[Change]:
    """What else changed and may be the cause of a change in time.

    Packages, driver, libraries, settings, weights, and the backends of rows that let the run choose one.
    """
    found = [(what, _at(before, path), _at(after, path)) for what, path in _VERSIONS.items()]
    for prefix, path in _GROUPS.items():
        old, new = _at(before, path), _at(after, path)
        old, new = (one if isinstance(one, Mapping) else {} for one in (old, new))
        found += [(f"{prefix}{name}", old.get(name), new.get(name)) for name in sorted({*old, *new})]
    found.append(("frames per round", before.frames_per_round, after.frames_per_round))
    earlier = {row.name: row for row in before.rows}
    for row in after.rows:
        if row.name in earlier and earlier[row.name].digest != row.digest:
            found.append((f"weights of {row.model}", earlier[row.name].digest[:12], row.digest[:12]))
        if row.name in earlier and chose_others(earlier[row.name], row):
            found.append((f"backend of {row.name}", earlier[row.name].backend, row.backend))
    return list(_changes(found))


def chose_others(before: Row, after: Row) -> bool:
    """Whether rows that left the choice of the backend to each run, and were measured, ran on different ones."""
    measured = before.state == after.state == "measured"
    return measured and " auto " in after.name and before.backend != after.backend


def change_of(change: Change) -> str:
    """A change in words, such as ``threads: 2 and 4``."""
    what, old, new = change
    return f"{what}: {old or 'none'} and {new or 'none'}"


def _of_row(before: Row, after: Row) -> Iterator[tuple[str, Any, Any]]:
    yield "frame size", _size(before.frame_size), _size(after.frame_size)
    yield "device", before.device, after.device
    yield f"end of {after.name}", before.ends, after.ends


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _at(result: BenchResult, path: tuple[str, ...]) -> Any:
    value: Any = result.machine
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _changes(found: list[tuple[str, Any, Any]]) -> Iterator[Change]:
    """Those that differ, each once."""
    told: set[Change] = set()
    for what, old, new in found:
        change = (what, _text(old), _text(new))
        if change[1] != change[2] and change not in told:
            told.add(change)
            yield change


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
