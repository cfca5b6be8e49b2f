"""How right the engines of a run are: each is scored once, however many rows use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fcn_edge.artifacts.models import resolved_model
from fcn_edge.artifacts.onnx_header import spec_of_onnx
from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.backends.onnxruntime.cpu import open_unfused
from fcn_edge.backends.registry import BACKENDS
from fcn_edge.bench.engines import ReadyEngine
from fcn_edge.bench.journal import Journal
from fcn_edge.bench.plan import PlannedRow
from fcn_edge.builder import BuildRequest, write_typed_onnx
from fcn_edge.datasets import LabeledSplit
from fcn_edge.errors import DatasetError, FcnEdgeError, MachineError
from fcn_edge.evaluation import accuracy
from fcn_edge.evaluation.api import evaluate
from fcn_edge.evaluation.leakage import calibration_images, refuse_calibration_images
from fcn_edge.system.thread_pools import owned_thread_pools

__all__ = ["Scoring", "scores_of"]


@dataclass(frozen=True)
class Scoring:
    """What engines are scored on, and where that is written down.

    Attributes:
        split: The labeled images.
        journal: Where each score is written down at once.
        folder: Where graphs for other machines are written.
        device: Index of the GPU.
        tell: Called with a line before each engine.
        progress: Called with images scored and images in all, engine by engine.
    """

    split: LabeledSplit
    journal: Journal
    folder: Path
    device: int
    tell: Callable[[str], None]
    progress: Callable[[int, int], None] | None


def scores_of(
    rows: Sequence[PlannedRow], engines: Mapping[str, ReadyEngine], scoring: Scoring
) -> tuple[dict[str, AccuracyRecord], dict[str, FcnEdgeError]]:
    """The accuracy of each engine, by its name. What the journal holds already is taken from there.

    An engine for a GPU that is not here is scored by the graph that its backend would compile, which ONNX Runtime
    computes node by node as it is written.

    Args:
        rows: All rows; those that end in scores have no masks to be scored.
        engines: The engines by name, as far as they are there.
        scoring: What they are scored on.

    Returns:
        The accuracies, and what engines failed with, each by the engine's name.

    Raises:
        DatasetError: The images are damaged, do not fit the model, or an INT8 engine was calibrated on them.
    """
    found: dict[str, AccuracyRecord] = {}
    failures: dict[str, FcnEdgeError] = {}
    for row in rows:
        if row.engine in found or row.engine in failures or row.ends != "mask":
            continue
        content = scoring.journal.entries.get(("accuracy", row.engine))
        if content is None:
            scoring.tell(f"Scoring {row.title} ...")
            started = time.perf_counter()
            try:
                scored = _scored(row, engines.get(row.engine), scoring)
            except DatasetError:
                raise
            except FcnEdgeError as error:  # one engine that cannot be opened spoils no other
                failures[row.engine] = error
                continue
            if scored is None:
                continue
            content = scored.to_json()
            scoring.journal.add("accuracy", row.engine, content, time.perf_counter() - started)
        found[row.engine] = AccuracyRecord.model_validate(content)
    return found, failures


def _scored(row: PlannedRow, engine: ReadyEngine | None, scoring: Scoring) -> accuracy.Accuracy | None:
    with owned_thread_pools():
        if engine is not None:
            try:
                device = engine.device(scoring.device)
                return evaluate(engine.path, scoring.split, device=device, progress=scoring.progress)
            except MachineError:  # it was built here for a machine that is not
                pass
        if row.model.kind != "onnx" or row.backend not in BACKENDS or BACKENDS[row.backend].device == "cpu":
            return None
        try:
            return _scored_as_written(row, scoring)
        except FcnEdgeError as error:
            scoring.tell(f"{row.title} could not be scored: {error}")
            return None


def _scored_as_written(row: PlannedRow, scoring: Scoring) -> accuracy.Accuracy:
    path = scoring.folder / f"{scoring.folder.name}.onnx"
    request = BuildRequest(
        backend=row.backend, precision=row.precision, size=row.size, calibration=row.calibration, device=scoring.device
    )
    try:
        write_typed_onnx(row.model, request, path)
        typed = resolved_model(path)
        refuse_calibration_images(calibration_images(typed), scoring.split)
        with open_unfused(path, spec_of_onnx(path), row.size) as opened, opened.session() as session:
            return accuracy.evaluate(session, scoring.split, scoring.progress)
    finally:
        path.unlink(missing_ok=True)
