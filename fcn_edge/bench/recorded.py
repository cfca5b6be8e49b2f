"""Rows of earlier runs, for models whose weights are not at hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from fcn_edge.bench.result import Row, read_result

__all__ = ["recorded_rows", "timed_rows"]


def timed_rows(paths: Sequence[Path]) -> tuple[Row, ...]:
    """The rows of earlier results that have times; each says where it comes from.

    Args:
        paths: The results.

    Raises:
        ArtifactError: A result is missing or damaged.
    """
    found = []
    for path in paths:
        result = read_result(path)
        for row in result.rows:
            if row.state == "measured":
                where = f"Not measured now: recorded on {row.device}, {result.started[:10]}, in {path.name}."
                found.append(row.model_copy(update={"state": "recorded", "problem": where}))
            elif row.state == "recorded":
                found.append(row)
    return tuple(found)


def recorded_rows(rows: Sequence[Row], measured: Collection[str]) -> tuple[Row, ...]:
    """Those of the rows that are not measured now; of two with one name the first counts.

    Args:
        rows: What ``timed_rows`` gave.
        measured: Names of the rows that are measured.
    """
    found: dict[str, Row] = {}
    for row in rows:
        if row.name not in measured:
            found.setdefault(row.name, row)
    return tuple(found.values())
