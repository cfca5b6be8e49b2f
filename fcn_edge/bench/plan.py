"""The rows of a suite: which model, at which precision and size, on which backend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import Size
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
        threads: Threads of a CPU backend; None for the physical cores.
    """

    label: str
    model: Model
    precision: Literal["fp32", "fp16", "int8"]
    backend: str
    size: Size
    ends: Literal["mask", "scores"]
    calibration: Path | None = None
    threads: int | None = None

    @property
    def engine(self) -> str:
        """What its engine is called: rows that end differently share one."""
        return f"{self.label} {self.precision} {self.backend} {self.size[0]}x{self.size[1]}"

    @property
    def name(self) -> str:
        """What the row is called, in every run of the suite."""
        of_threads = "" if self.threads is None else f" {self.threads} threads"
        return self.engine + of_threads + (" scores" if self.ends == "scores" else "")


def planned_rows(suite: Suite) -> tuple[PlannedRow, ...]:
    """The rows of a suite, in its order. Models that are not there are left out where results are recorded.

    Raises:
        UsageError: Two rows are the same.
        ArtifactError: A model is missing or damaged.
    """
    rows = [row for group in suite.rows for row in _rows_of(group, bool(suite.recorded))]
    names = [row.name for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"The suite has two rows {twice!r}.", "Give models names of their own, and each row of them once."
        )
    return tuple(rows)


def _rows_of(group: Group, may_lack: bool) -> Iterator[PlannedRow]:
    for name in group.models:
        try:
            model = resolved_model(name)
        except ArtifactError:
            if may_lack and not Path(name).exists():
                continue
            raise
        label = model.shipped or Path(name).name
        table = Path(group.calibration) if group.calibration else None
        manifest = model.engine_manifest
        if manifest is not None:
            precision, backend = manifest.precision, manifest.backend
            yield PlannedRow(label, model, precision, backend, manifest.size, group.ends, None, group.threads)
            continue
        sizes = group.sizes or (model.spec.size,)
        for size, backend, precision in product(sizes, group.backends, group.precisions):
            yield PlannedRow(label, model, precision, backend, size, group.ends, table, group.threads)
