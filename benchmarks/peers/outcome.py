"""Medians of the rows, ratios of the rounds, and the bars that they are held to."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.rounds import Row

__all__ = ["bars", "is_equal", "kept_shares", "row_of"]

ALIKE = 0.9999
"""Share of the pixels at the network's size from which on masks count as equal."""

FASTER_THAN_PEERS, FASTER_THAN_TOOLKITS, INT8_FASTER = 1.05, 1.3, 2.0


def is_equal(row: Row) -> bool:
    """Its masks are those of fcn_edge in FP32."""
    return row.runs and row.about.get("same_pixels", {}).get("network", 0.0) >= ALIKE


def row_of(row: Row) -> dict[str, Any]:
    """What the results hold of a row."""
    result: dict[str, Any] = {"peer": row.name, **row.about, "told_threads": row.threads}
    if row.round_ms:
        result |= {
            "equal_masks": is_equal(row),
            "median_ms": round(statistics.median(row.round_ms), 2),
            "range_ms": [min(row.round_ms), max(row.round_ms)],
            "round_ms": row.round_ms,
        }
    return result


def bars(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """How many times as fast as the best of the others fcn_edge is, where both sides were timed.

    Only FP32 with equal masks counts as a peer, and as ours, but for our INT8.
    """
    calls = [row for row in rows if row.round_ms and row.about["group"] == "call"]
    equal = [row for row in calls if row.about["precision"] == "fp32" and is_equal(row)]
    ours = [row for row in equal if row.about["kind"] == "ours"]
    peers = [row for row in equal if row.about["kind"] != "ours"]
    toolkits = [row for row in peers if row.about["kind"] == "toolkit"]
    int8 = [row for row in calls if row.about["precision"] == "int8"]
    compared = [
        ("FP32 against the best peer", ours, peers, FASTER_THAN_PEERS),
        ("FP32 against the best complete toolkit", ours, toolkits, FASTER_THAN_TOOLKITS),
        ("INT8 against the best FP32 peer", int8, peers, INT8_FASTER),
    ]
    found = []
    for name, these, those, least in compared:
        if these and those:
            times = _ratio(_best(those), _best(these))
            bar = {"name": name, "ours": _best(these).name, "peer": _best(those).name, **times}
            found.append(bar | {"at_least": least, "holds": times["times"] >= least})
    streams = [row for row in rows if row.round_ms and row.about["group"] == "stream" and is_equal(row)]
    these = [row for row in streams if row.about["kind"] == "ours"]
    those = [row for row in streams if row.about["kind"] != "ours"]
    if these and those:
        sides = {"ours": _best(these).name, "peer": _best(those).name}
        found.append({"name": "FP32 pipeline against the best pipeline", **sides, **_ratio(_best(those), _best(these))})
    return found


def kept_shares(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What is left of a bare network's speed from frame to mask: ours, and that of Ultralytics with its own network."""
    by_name = {row.name: row for row in rows if row.round_ms and row.threads is None}
    pairs = [("yolo-network", "yolo-predict"), *((f"{name}-network", name) for name in by_name)]
    found = []
    for network, whole in pairs:
        if network in by_name and whole in by_name:
            ratio = _ratio(by_name[network], by_name[whole])
            found.append({"network": network, "whole": whole, "kept": ratio["times"], "range": ratio["range"]})
    return found


def _best(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: statistics.median(row.round_ms))


def _ratio(slower: Row, faster: Row) -> dict[str, Any]:
    """How many times as long the one takes as the other in the same round."""
    ratios = [a / b for a, b in zip(slower.round_ms, faster.round_ms, strict=False)]
    return {
        "times": round(statistics.median(ratios), 3),
        "range": [round(min(ratios), 3), round(max(ratios), 3)],
    }
