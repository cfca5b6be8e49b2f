"""The row that meets limits of speed, accuracy, power and memory; or which limit is the one that cannot be met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fcn_edge.bench.commands import build_command
from fcn_edge.bench.conflict import Conflict, conflict_of
from fcn_edge.bench.limits import Limit, Wanted, limits_of
from fcn_edge.bench.pareto import pareto
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.bench.worse import images_of

__all__ = ["EQUALLY_ACCURATE", "Choice", "choose"]

EQUALLY_ACCURATE = 0.001
"""Rows whose mIoU is no more than this below the best count as equally accurate: backends round differently."""

FRAMES_FOR_P99 = 100
"""With fewer frames, none lies above their 99th percentile but the slowest."""


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        row: The row; None where none meets the limits, or none was given.
        limits: The limits, in the order of the options.
        conflict: What no row meets; None where one does, or none was asked for.
        front: The Pareto front of median time against mIoU of the rows that can be chosen, fastest first.
        notes: What else to know, in sentences.
    """

    row: Row | None
    limits: tuple[Limit, ...]
    conflict: Conflict | None
    front: tuple[Row, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The choice as plain values; ``meets`` is None where there was nothing to meet.

        Of a limit ``nearest`` is what the row has that comes nearest to it and meets the others of the conflict; None
        where no row does, where the limit is no part of the conflict, and where a row was chosen.
        """
        row = self.row
        nearest = self.conflict.nearest if self.conflict else {}
        return {
            "name": row.name if row else None,
            "model": row.model if row else None,
            "encoder": row.encoder if row else None,
            "decoder": row.decoder if row else None,
            "precision": row.precision if row else None,
            "size": list(row.size) if row else None,
            "backend": row.backend if row else None,
            "command": build_command(row) if row else None,
            "meets": row is not None if self.limits else None,
            "limits": [
                {
                    "option": one.option,
                    "bound": one.bound,
                    "value": one.value(row) if row else None,
                    "nearest": nearest.get(one.option),
                }
                for one in self.limits
            ],
            "unstable": row.unstable if row else "",
            "pareto": [one.name for one in self.front],
            "notes": list(self.notes),
        }


def choose(result: BenchResult, wanted: Wanted) -> Choice:
    """The most accurate row that meets the limits.

    Of those that are equally accurate, steady ones are preferred, and of these the one with the most throughput. Only
    rows with times that end with a mask can be chosen, and recorded ones only from a device of this run. Where rows
    were scored on different images, accuracies of those that most were scored on count, and the others have none. Where
    no row has an accuracy, they count as equally accurate.

    Args:
        result: What was measured.
        wanted: The limits. Without any nothing is chosen, and the Pareto front is all there is to say.
    """
    timed = [row for row in result.rows if row.end_to_end_ms is not None and row.ends == "mask"]
    here, elsewhere = _by_device(timed, result)
    rows, notes = _comparable(here)
    if elsewhere:
        notes.append(f"Not considered, because they were recorded on another device: {', '.join(elsewhere)}.")
    scores = [row.accuracy.miou for row in rows if row.accuracy]
    limits = limits_of(wanted, max(scores, default=None))
    if result.unstable:
        notes.append(f"The run is not to be relied on: {result.unstable}")
    notes += _unknown(limits, rows)
    meeting = [row for row in rows if all(limit.met_by(row) for limit in limits)]
    chosen = _best(meeting) if limits and meeting else None
    if chosen is not None and chosen.accuracy is None:
        notes.append("No row that meets the limits has an accuracy: the one with the most throughput was chosen.")
    if chosen is not None and chosen.accuracy is not None and chosen.accuracy.rendered:
        notes.append("Accuracy was measured on rendered images, which says nothing of real ones.")
    if chosen is not None and chosen.unstable:
        notes.append(f"The times of {chosen.name} are not to be relied on: {chosen.unstable}")
    if chosen is not None and chosen.state == "recorded":
        notes.append(f"The times of {chosen.name} were not measured in this run: {chosen.problem}")
    if wanted.latency_ms is not None:
        notes += _few_frames([chosen] if chosen is not None else rows)
    conflict = None if chosen is not None or not limits else conflict_of(rows, limits)
    return Choice(chosen, tuple(limits), conflict, pareto(rows), tuple(notes))


def _by_device(rows: Sequence[Row], result: BenchResult) -> tuple[list[Row], list[str]]:
    """The rows of this run's devices, and the names of those that were recorded on others."""
    devices = {row.device for row in result.rows if row.state == "measured"}
    here = [row for row in rows if row.state == "measured" or not devices or row.device in devices]
    names = {row.name for row in here}
    return here, [row.name for row in rows if row.name not in names]


def _few_frames(rows: Sequence[Row]) -> list[str]:
    fewest = min((row.end_to_end_ms.frames for row in rows if row.end_to_end_ms), default=FRAMES_FOR_P99)
    return [f"p99 of {fewest} frames is the slowest of them."] if fewest < FRAMES_FOR_P99 else []


def _comparable(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """The rows, without accuracies on other images than most were scored on."""
    images = Counter(images_of(row.accuracy) for row in rows if row.accuracy)
    if len(images) < 2:
        return rows, []
    (dataset, split, *_), _ = images.most_common(1)[0]
    common = images.most_common(1)[0][0]
    other = [row.name for row in rows if row.accuracy and images_of(row.accuracy) != common]
    kept = [row.model_copy(update={"accuracy": None}) if row.name in other else row for row in rows]
    note = f"Accuracies on other images than those of {dataset} {split} do not count: {', '.join(other)}."
    return kept, [note]


def _best(rows: Sequence[Row]) -> Row:
    def worth(row: Row) -> tuple[bool, float]:
        return not row.unstable, row.throughput.fps if row.throughput else 0.0

    scored = [(row.accuracy.miou, row) for row in rows if row.accuracy]
    if not scored:
        return max(rows, key=worth)
    best = max(miou for miou, _ in scored)
    return max((row for miou, row in scored if miou >= best - EQUALLY_ACCURATE), key=worth)


def _unknown(limits: Sequence[Limit], rows: Sequence[Row]) -> list[str]:
    """Which rows cannot be chosen because a value is missing that a limit needs."""
    notes = {}
    for limit in limits:
        without = [row.name for row in rows if limit.value(row) is None]
        if without and len(without) < len(rows):
            what = f"Not considered, because {limit.unknown} was not measured"
            notes[limit.unknown] = f"{what}: {', '.join(without)}."
    return list(notes.values())
