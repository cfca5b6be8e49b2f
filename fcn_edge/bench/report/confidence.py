"""Intervals of medians in words."""

from __future__ import annotations

from collections.abc import Iterable

from fcn_edge.bench.report.numbers import between, span
from fcn_edge.bench.result import Distribution, Row

__all__ = ["confidence_of", "interval_of", "overlap"]


def confidence_of(rows: Iterable[Row]) -> str:
    """The confidence of the rows' end-to-end intervals, such as ``96%`` or ``75% to 96%``; empty where there is none.

    A row that was measured once has none.
    """
    times = [row.end_to_end_ms for row in rows if row.end_to_end_ms]
    known = sorted(one.confidence for one in times if one.confidence > 0)
    return span([f"{100 * known[0]:.0f}%", f"{100 * known[-1]:.0f}%"]) if known else ""


def interval_of(times: Distribution) -> str:
    """An interval with its confidence, such as ``96% interval: 48.9-50.1 ms``; empty where it has none."""
    if times.confidence <= 0:
        return ""
    return f"{100 * times.confidence:.0f}% interval: {between(times.interval, times.p50)} ms"


def overlap(one: Distribution, other: Distribution) -> bool:
    """The intervals of two medians share a value, so that either row may be the faster."""
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]
