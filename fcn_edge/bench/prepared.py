"""What a run needs, read and checked before anything is written or measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.models import Model, resolved_model
from fcn_edge.artifacts.spec import Size
from fcn_edge.bench.complexity import complexity_of
from fcn_edge.bench.frames import frames_of
from fcn_edge.bench.plan import PlannedRow, planned_rows
from fcn_edge.bench.recorded import recorded_rows, timed_rows
from fcn_edge.bench.result import Row
from fcn_edge.bench.suite import Suite
from fcn_edge.datasets import LabeledSplit, split_of
from fcn_edge.datasets.fingerprint import fingerprint_of
from fcn_edge.io.redaction import without_passwords
from fcn_edge.system.cpu import thread_count
from fcn_edge.system.facts import MachineFacts, read_facts

__all__ = ["Prepared", "prepared"]

OF_THE_ROWS = ("title", "recorded", "examples", "rows", "data", "source")
"""What of a suite does not decide what is measured, or does so in a key of its own."""


@dataclass(frozen=True)
class Prepared:
    """What a run needs.

    Attributes:
        suite: What to measure.
        rows: Its rows.
        gmacs: Multiply-accumulates of each row by its name, in 10^9, where they are known.
        recorded: Rows of earlier results.
        control: Model of the control.
        split: Labeled images to score on; None for none.
        examples: Labeled images to show pieces of; None for none.
        frames: ``(N, H, W, 3)`` uint8 BGR.
        facts: The machine.
    """

    suite: Suite
    rows: tuple[PlannedRow, ...]
    gmacs: dict[str, float | None]
    recorded: tuple[Row, ...]
    control: Model
    split: LabeledSplit | None
    examples: LabeledSplit | None
    frames: NDArray[np.uint8]
    facts: MachineFacts

    @property
    def frame_size(self) -> Size:
        """``(height, width)`` of the frames."""
        height, width = self.frames.shape[1:3]
        return height, width

    @property
    def source(self) -> str:
        """What the frames are of, without a password."""
        return without_passwords(self.suite.source)

    def identity(self, device: int) -> dict[str, Any]:
        """What decides what is measured, by what messages call it: a run goes on only as what it began.

        Args:
            device: Index of the GPU.
        """
        suite, told = self.suite.model_dump(mode="json"), self.facts.to_json()
        cpu = told["cpu"]
        return {
            "suite": {key: value for key, value in suite.items() if key not in OF_THE_ROWS},
            "choice of rows": [[row.name, row.engine] for row in self.rows],
            "control": self.control.digest,
            "frames": hashlib.sha256(np.ascontiguousarray(self.frames).tobytes()).hexdigest(),
            "data set": None if self.split is None else fingerprint_of(self.split),
            "machine": [cpu["name"], cpu["instruction_set"], cpu["cores"], told["nvidia"], device, thread_count(None)],
            "power mode": [cpu["governor"], (told["jetson"] or {}).get("power_mode")],
            "software": [told["system"], told["software"]],
            "environment": told["environment"],
        }


def prepared(suite: Suite) -> Prepared:
    """Read all that a suite names.

    Raises:
        UsageError: A value makes no sense, or the source is live.
        ArtifactError: A model, table, data set or recorded result is missing or damaged.
        SourceError: The frames cannot be read.
    """
    earlier = timed_rows(tuple(map(Path, suite.recorded)))
    rows = planned_rows(suite, {row.model for row in earlier})
    return Prepared(
        suite=suite,
        rows=rows,
        gmacs={row.name: complexity_of(row.model, row.size) for row in rows},
        recorded=recorded_rows(earlier, {row.name for row in rows}),
        control=resolved_model(suite.control),
        split=split_of(suite.data) if suite.data else None,
        examples=split_of(suite.examples) if suite.examples else None,
        frames=frames_of(suite.source, suite.distinct),
        facts=read_facts(),
    )
