"""Rows of earlier runs, for models whose weights are not at hand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from fcn_edge.bench.result import BenchResult, Row, read_result

__all__ = ["recorded_rows"]


def recorded_rows(paths: Sequence[str], measured: Collection[str]) -> tuple[Row, ...]:
    """The rows of earlier results that are not measured now; each says where it comes from.

    Args:
        paths: The results; of two rows with one name the first counts.
        measured: Names of the rows that are measured.

    Raises:
        ArtifactError: A result is missing or damaged.
    """
    found: dict[str, Row] = {}
    for path in map(Path, paths):
        for row in _timed(read_result(path), path):
            if row.name not in measured:
                found.setdefault(row.name, row)
    return tuple(found.values())


def _timed(result: BenchResult, path: Path) -> Iterator[Row]:
    for row in result.rows:
        if row.state == "measured":
            where = f"Not measured now: recorded on {row.device}, {result.started[:10]}, in {path.name}."
            yield row.model_copy(update={"state": "recorded", "problem": where})
        elif row.state == "recorded":
            yield row
