"""How right the engines of a run are: each is scored once, however many rows use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fcn_edge.artifacts.records import AccuracyRecord
from fcn_edge.bench.engines import ReadyEngine
from fcn_edge.bench.journal import Journal
from fcn_edge.datasets import LabeledSplit
from fcn_edge.evaluation.api import evaluate
from fcn_edge.system.thread_pools import owned_thread_pools

__all__ = ["scores_of"]


def scores_of(
    engines: Mapping[str, ReadyEngine],
    split: LabeledSplit,
    journal: Journal,
    *,
    device: int,
    tell: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
) -> dict[str, AccuracyRecord]:
    """The accuracy of each engine, by its name. What the journal holds already is taken from there.

    Args:
        engines: The engines by name.
        split: The labeled images.
        journal: Where each score is written down at once.
        device: Index of the GPU.
        tell: Called with a line before each engine.
        progress: Called with images scored and images in all, engine by engine.

    Raises:
        DatasetError: The images are damaged, do not fit the model, or an INT8 engine was calibrated on them.
    """
    found = {}
    for name, engine in engines.items():
        content = journal.entries.get(("accuracy", name))
        if content is None:
            tell(f"Scoring {name} ...")
            started = time.perf_counter()
            with owned_thread_pools():
                accuracy = evaluate(engine.path, split, device=device, progress=progress)
            content = accuracy.to_json()
            journal.add("accuracy", name, content, time.perf_counter() - started)
        found[name] = AccuracyRecord.model_validate(content)
    return found
