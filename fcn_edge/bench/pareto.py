"""The rows that are worth looking at: no other is both faster and more accurate."""

from __future__ import annotations

from collections.abc import Iterable

from fcn_edge.bench.result import Row

__all__ = ["pareto"]


def pareto(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The Pareto front of median end-to-end time against mIoU.

    Rows without times or without accuracy, and those that end with scores instead of a mask, are not on it. Of rows
    that are equal in both, the first is.

    Returns:
        The rows of the front, from the fastest to the most accurate.
    """
    known = [
        (row.end_to_end_ms.p50, -row.accuracy.miou, row)
        for row in rows
        if row.ends == "mask" and row.end_to_end_ms is not None and row.accuracy is not None
    ]
    front: list[Row] = []
    best = 1.0
    for _, loss, row in sorted(known, key=lambda one: one[:2]):
        if loss < best:
            front.append(row)
            best = loss
    return tuple(front)
