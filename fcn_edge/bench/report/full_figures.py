"""The columns of the page's long table: all that was timed, and what identifies a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fcn_edge.bench.report.columns import COLUMNS, Column, statistic_of
from fcn_edge.bench.report.numbers import ABSENT, number
from fcn_edge.bench.result import Row

__all__ = ["full_columns"]

STATISTICS = ("min", "mean", "p50", "p90", "p95", "p99", "max")
GPU = ("host_to_device", "compute", "device_to_host", "enqueue")


def full_columns(rows: Sequence[Row]) -> list[Column]:
    """The columns in which at least one of the rows has a value."""
    columns = [*COLUMNS[:5], _words("ends", "Ends with", lambda row: row.ends)]
    columns += [_statistic("network_ms", "Network", one) for one in STATISTICS]
    columns += [_statistic("end_to_end_ms", "End to end", one) for one in STATISTICS]
    columns += [_gpu(one) for one in GPU]
    columns += [
        _figure("frames", "Frames", "", lambda row: row.end_to_end_ms.frames if row.end_to_end_ms else None),
        _figure("gmacs", "Work", "GMACs", lambda row: row.gmacs),
        _figure("build_seconds", "Build", "s", lambda row: row.build_seconds),
        _words("library", "Library", lambda row: row.library),
        _words("device", "Device", lambda row: row.device),
        _words("digest", "Digest", lambda row: row.digest[:12]),
    ]
    return [column for column in columns if any(column.value(row) not in (None, "") for row in rows)]


def _statistic(attribute: str, name: str, statistic: str) -> Column:
    def value(row: Row) -> float | None:
        return statistic_of(getattr(row, attribute), statistic)

    return _figure(f"{attribute}_{statistic}", f"{name} {statistic}", "ms", value)


def _gpu(part: str) -> Column:
    return _figure(f"gpu_{part}", f"GPU {part.replace('_', ' ')}", "ms", lambda row: (row.gpu_ms or {}).get(part))


def _figure(key: str, heading: str, unit: str, value: Callable[[Row], float | None]) -> Column:
    return Column(key, heading, unit, "", value, lambda row: number(value(row)))


def _words(key: str, heading: str, value: Callable[[Row], str]) -> Column:
    return Column(key, heading, "", "", value, lambda row: value(row) or ABSENT)
