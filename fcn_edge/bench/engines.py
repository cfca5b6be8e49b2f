"""The engines of a run's rows: built once, kept in the run's folder, built again only when they are stale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.engine_manifest import EngineManifest, read_manifest
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.commands import build_text
from fcn_edge.bench.plan import PlannedRow
from fcn_edge.builder import BuildRequest, build_engine

__all__ = ["ReadyEngine", "ready_engine"]

_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class ReadyEngine:
    """An engine that a row is measured with.

    Attributes:
        path: The directory.
        manifest: What it says of itself.
        command: Command that builds it; empty for an engine that was given.
    """

    path: Path
    manifest: EngineManifest
    command: str

    def device(self, device: int) -> int:
        """The index of the GPU, where it runs on one; a processor has none but 0."""
        return device if BACKENDS[self.manifest.backend].device == "cuda" else 0

    @property
    def bytes(self) -> int:
        """Size of the plan and what is loaded with it; not of what only tells where it comes from."""
        return sum(file.bytes for name, file in self.manifest.files.items() if not name.endswith(".json"))


def ready_engine(row: PlannedRow, folder: Path, device: int) -> ReadyEngine:
    """The engine of a row.

    Args:
        row: The row; its model may be an engine already.
        folder: Where engines are kept.
        device: Index of the GPU.

    Raises:
        FcnEdgeError: It cannot be built here; see ``build_engine``.
    """
    if row.model.engine_manifest is not None:
        return ReadyEngine(row.model.path, read_manifest(row.model.path), "")
    path = folder / _UNSAFE.sub("_", row.engine)
    request = BuildRequest(
        backend=row.backend,
        precision=row.precision,
        size=row.size,
        calibration=row.calibration,
        device=row.device(device),
        timed=False,  # the rounds will tell
    )
    built = build_engine(row.model, request, output=path, if_stale=True)
    model, table = row.model.shipped or str(row.model.path), str(row.calibration or "")
    command = build_text(model, built.manifest.backend, row.precision, row.size, table)
    return ReadyEngine(path, built.manifest, command)
