"""Where an engine is to go, and what lies there: looked at once, and handed on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.engine_manifest import EngineManifest, read_manifest
from fcn_edge.errors import EngineError

__all__ = ["Target", "target_at"]


@dataclass(frozen=True)
class Target:
    """The place of an engine.

    Attributes:
        path: The engine directory, which need not be there.
        manifest: Manifest of the engine there; None where there is none that can be read.
        problem: Why the manifest of what is there cannot be read.
    """

    path: Path
    manifest: EngineManifest | None = None
    problem: EngineError | None = None


def target_at(path: Path) -> Target:
    """What lies where an engine is to go; files other than the manifest are not looked at."""
    if not path.exists():
        return Target(path)
    try:
        return Target(path, read_manifest(path))
    except EngineError as error:
        return Target(path, problem=error)
