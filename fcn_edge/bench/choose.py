"""The row that meets limits of speed, accuracy, power and memory; or which limit is the one that cannot be met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from fcn_edge.bench.limits import Limit, Wanted, limits_of
from fcn_edge.bench.pareto import pareto
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.bench.worse import images_of

__all__ = ["EQUALLY_ACCURATE", "Choice", "choose"]

EQUALLY_ACCURATE = 0.001
"""Rows whose mIoU is no more than this below the best count as equally accurate: backends round differently."""


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        row: The row; None where none meets the limits, or none was given.
        limits: The limits, in the order of the options.
        conflict: Why no row meets them, in a sentence; empty where one does.
        front: The Pareto front of median time against mIoU, fastest first.
        notes: What else to know, in sentences.
    """

    row: Row | None
    limits: tuple[Limit, ...]
    conflict: str
    front: tuple[Row, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The choice as plain values; ``meets`` is None where there was nothing to meet."""
        row = self.row
        return {
            "name": row.name if row else None,
            "model": row.model if row else None,
            "encoder": row.encoder if row else None,
            "decoder": row.decoder if row else None,
            "precision": row.precision if row else None,
            "size": list(row.size) if row else None,
            "backend": row.backend if row else None,
            "command": row.build if row else None,
            "meets": row is not None if self.limits else None,
            "limits": [
                {"option": one.option, "bound": one.bound, "value": one.value(row) if row else None}
                for one in self.limits
            ],
            "unstable": row.unstable if row else "",
            "pareto": [one.name for one in self.front],
            "notes": list(self.notes),
        }


def choose(result: BenchResult, wanted: Wanted) -> Choice:
    """The most accurate row that meets the limits; of those that are equally accurate, the one with most throughput.

    Only rows with times that end with a mask can be chosen. Where rows were scored on different images, accuracies of
    those that most were scored on count, and the others have none. Where no row has an accuracy, the fastest is chosen.

    Args:
        result: What was measured.
        wanted: The limits. Without any nothing is chosen, and the Pareto front is all there is to say.
    """
    rows, notes = _comparable([row for row in result.rows if row.end_to_end_ms is not None and row.ends == "mask"])
    scores = [row.accuracy.miou for row in rows if row.accuracy]
    limits = limits_of(wanted, max(scores, default=None))
    if result.unstable:
        notes.append(f"The run is not to be relied on: {result.unstable}")
    notes += _unknown(limits, rows)
    meeting = [row for row in rows if all(limit.met_by(row) for limit in limits)]
    chosen = _best(meeting) if limits and meeting else None
    if chosen is not None and chosen.accuracy is None:
        notes.append("No row that meets the limits has an accuracy: the fastest was chosen.")
    if chosen is not None and chosen.accuracy is not None and chosen.accuracy.rendered:
        notes.append("Accuracy was measured on rendered images, which says nothing of real ones.")
    if chosen is not None and chosen.unstable:
        notes.append(f"The times of {chosen.name} are not to be relied on: {chosen.unstable}")
    if chosen is not None and chosen.state == "recorded":
        notes.append(f"The times of {chosen.name} were not measured in this run: {chosen.problem}")
    conflict = "" if chosen is not None or not limits else _conflict(rows, limits)
    return Choice(chosen, tuple(limits), conflict, pareto(rows), tuple(notes))


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
    def speed(row: Row) -> float:
        return row.throughput.fps if row.throughput else 0.0

    scored = [(row.accuracy.miou, row) for row in rows if row.accuracy]
    if not scored:
        return max(rows, key=speed)
    best = max(miou for miou, _ in scored)
    return max((row for miou, row in scored if miou >= best - EQUALLY_ACCURATE), key=speed)


def _unknown(limits: Sequence[Limit], rows: Sequence[Row]) -> list[str]:
    """Which rows cannot be chosen because a value is missing that a limit needs."""
    notes = {}
    for limit in limits:
        without = [row.name for row in rows if limit.value(row) is None]
        if without and len(without) < len(rows):
            notes[limit.unknown] = f"Not considered, because they have no {limit.unknown}: {', '.join(without)}."
    return list(notes.values())


def _conflict(rows: Sequence[Row], limits: Sequence[Limit]) -> str:
    """The smallest set of limits that no row meets, and how near rows come to each while they meet the others."""
    if not rows:
        return "The result has no row with times that ends with a mask, so that there is nothing to choose from."
    for count in range(1, len(limits) + 1):
        for some in combinations(limits, count):
            if not any(all(limit.met_by(row) for limit in some) for row in rows):
                return _told(rows, some)
    raise AssertionError("a row meets all limits")


def _told(rows: Sequence[Row], limits: Sequence[Limit]) -> str:
    if len(limits) == 1:
        (limit,) = limits
        nearest = limit.nearest(rows)
        if nearest is None:
            return f"{limit.option} cannot be met: no row has {limit.unknown}{_why_not(limit, rows)}."
        return f"{limit.option} cannot be met: the nearest is {_with(limit, nearest)}."
    names = [limit.option for limit in limits]
    told = []
    for limit in limits:
        others = [one for one in limits if one is not limit]
        nearest = limit.nearest([row for row in rows if all(one.met_by(row) for one in others)])
        asked = " and ".join(one.asked for one in others)
        told.append(
            f"with {asked} no row has {limit.unknown}"
            if nearest is None
            else f"with {asked} the nearest is {_with(limit, nearest)}"
        )
    return f"{', '.join(names[:-1])} and {names[-1]} cannot be met together: {'; '.join(told)}."


def _with(limit: Limit, row: Row) -> str:
    value = limit.value(row)
    assert value is not None
    return f"{row.name} with {limit.text(value)}"


def _why_not(limit: Limit, rows: Sequence[Row]) -> str:
    reasons = (
        {row.power.absent for row in rows if row.power and row.power.absent} if limit.unknown == "power" else set()
    )
    return f" ({' '.join(sorted(reasons)).rstrip('.')})" if reasons else ""
