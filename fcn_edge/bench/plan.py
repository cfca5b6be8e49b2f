"""The rows of a suite: which model, at which precision and size, on which backend."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from fcn_edge.artifacts.calibration_table import read_table
from fcn_edge.artifacts.engine_manifest import EngineManifest
from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import Size, checked_size
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.suite import Group, Suite
from fcn_edge.errors import ArtifactError, UsageError

__all__ = ["PlannedRow", "planned_rows"]


@dataclass(frozen=True)
class PlannedRow:
    """A row that is to be measured.

    Attributes:
        label: A shipped name, or the name of the file or directory.
        model: The model, opened.
        precision: ``fp32``, ``fp16`` or ``int8``.
        backend: A backend's name or ``auto``.
        size: ``(height, width)`` of the network's input.
        ends: ``mask`` or ``scores``.
        calibration: Calibration table for INT8; None for a shipped model's own.
        table: Digest of that table; empty for none.
        threads: Threads of a CPU backend; None for the physical cores.
    """

    label: str
    model: Model
    precision: Literal["fp32", "fp16", "int8"]
    backend: str
    size: Size
    ends: Literal["mask", "scores"]
    calibration: Path | None = None
    table: str = ""
    threads: int | None = None

    @property
    def title(self) -> str:
        """What its engine is called: rows that end differently share one."""
        return f"{self.label} {self.precision} {self.backend} {self.size[0]}x{self.size[1]}"

    @property
    def engine(self) -> str:
        """What its engine is told apart by: title, weights and calibration."""
        made_of = f"{self.title} {self.model.digest} {self.table}"
        return f"{self.title} {hashlib.sha256(made_of.encode()).hexdigest()[:8]}"

    @property
    def name(self) -> str:
        """What the row is called, in every run of the suite."""
        of_threads = "" if self.threads is None else f" {self.threads} threads"
        return self.title + of_threads + (" scores" if self.ends == "scores" else "")

    def device(self, device: int) -> int:
        """The index of the GPU, where the row's backend takes one; a processor has none but 0."""
        entry = BACKENDS.get(self.backend)
        return 0 if entry is not None and entry.device == "cpu" else device


def planned_rows(suite: Suite, recorded: Collection[str] = ()) -> tuple[PlannedRow, ...]:
    """The rows of a suite, in its order.

    Args:
        suite: The suite.
        recorded: Models that earlier results have rows of: they are left out where they are not there.

    Raises:
        UsageError: Two rows are the same, there is no such backend, or a size does not fit a model or an engine.
        ArtifactError: A model or table is missing or damaged.
    """
    rows = [row for group in suite.rows for row in _rows_of(group, recorded)]
    names = [row.name for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"The suite has two rows {twice!r}.", "Give models names of their own, and each row of them once."
        )
    return tuple(rows)


def _rows_of(group: Group, recorded: Collection[str]) -> Iterator[PlannedRow]:
    unknown = next((name for name in group.backends if name not in (*BACKENDS, "auto")), None)
    if unknown is not None:
        raise UsageError(f"There is no backend {unknown!r}.", f"There is: auto, {', '.join(BACKENDS)}.")
    table = Path(group.calibration) if group.calibration else None
    digest = "" if table is None else read_table(table).digest
    for name in group.models:
        try:
            model = resolved_model(name)
        except ArtifactError:
            if Path(name).name in recorded and not Path(name).exists():
                continue
            raise
        label = model.shipped or Path(name).name
        if model.engine_manifest is not None:
            yield _row_of_engine(label, model, model.engine_manifest, group)
            continue
        sizes = [checked_size(size, model.spec.geometry.size_multiple) for size in group.sizes] or [model.spec.size]
        for size, backend, precision in product(sizes, group.backends, group.precisions):
            of_table = (table, digest) if precision == "int8" else (None, "")
            yield PlannedRow(label, model, precision, backend, size, group.ends, *of_table, group.threads)


def _row_of_engine(label: str, model: Model, manifest: EngineManifest, group: Group) -> PlannedRow:
    """An engine is measured as it was built; what is asked for and is not so is refused."""
    built = {"precisions": manifest.precision, "backends": manifest.backend, "sizes": manifest.size}
    for key, value in built.items():
        asked = getattr(group, key)
        if key in group.model_fields_set and asked and value not in asked and asked != ("auto",):
            was = f"{value[0]}x{value[1]}" if key == "sizes" else value
            raise UsageError(
                f"{label} is an engine that was built for {was}, and other {key} were asked for.",
                "Leave them out, or give the model that it was built from.",
            )
    # two builds of one model are two engines, though the model's digest is the same
    content = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
    return PlannedRow(
        label, model, manifest.precision, manifest.backend, manifest.size, group.ends, None, content, group.threads
    )
