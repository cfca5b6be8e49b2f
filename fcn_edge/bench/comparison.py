"""What the comparison of two benchmark results found, as values for tables and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fcn_edge.bench.conditions import Change
from fcn_edge.bench.ratios import Ratio
from fcn_edge.bench.result import Row

__all__ = ["Comparison", "Regression", "RowChange", "Verdict", "change_text", "interval_text"]

NO_CHANGE = 0.0005
"""Share below which a change would be printed as 0.0%."""

Verdict = Literal["slower", "faster", "unchanged", "undecided", "not compared", "missing", "not measured", "new"]


@dataclass(frozen=True)
class RowChange:
    """A row of the first result and that of the same name of the second.

    Attributes:
        name: Their name.
        verdict: What became of its time: ``slower`` and ``faster`` are very probable, so is that ``unchanged`` stayed
            within the threshold; ``undecided`` may be any of them, ``not compared`` were not both measured by the runs
            themselves. ``missing``: the second result has no such row;
            ``not measured``: it has no times of it; ``new``: only the second has times of it.
        note: Why, or what to know of it, in a sentence; may be empty.
        ratio: Time of the second divided by that of the first, normalized unless the comparison is absolute; None
            where times were not compared.
        before: The row of the first result.
        after: The row of the second.
    """

    name: str
    verdict: Verdict
    note: str
    ratio: Ratio | None
    before: Row | None
    after: Row | None

    def to_json(self) -> dict[str, Any]:
        """The change as plain values; times in milliseconds, mIoU as a fraction."""
        ratio = self.ratio
        return {
            "name": self.name,
            "verdict": self.verdict,
            "note": self.note,
            "ratio": ratio.center if ratio else None,
            "interval": [ratio.low, ratio.high] if ratio else None,
            "confidence": ratio.confidence if ratio else None,
            "rounds_left_out": list(ratio.left_out) if ratio else None,
            **_values("before", self.before),
            **_values("after", self.after),
        }


@dataclass(frozen=True)
class Regression:
    """Something that became worse by more than its limit.

    Attributes:
        name: The row's name.
        kind: ``time``, ``accuracy``, ``memory``, or ``missing``: it is not measured any more.
        reason: What became worse, and by how much.
    """

    name: str
    kind: Literal["time", "accuracy", "memory", "missing"]
    reason: str

    def to_json(self) -> dict[str, str]:
        """The regression as plain values."""
        return {"name": self.name, "kind": self.kind, "reason": self.reason}


@dataclass(frozen=True)
class Comparison:
    """Two results of a benchmark, compared.

    Attributes:
        rows: Every row of either: those that became slower first, those without a ratio last.
        regressions: What became worse.
        control: Ratio of the two runs' control; None where they had different ones, or too few rounds.
        absolute: Times were compared as they are, and not divided by the control of their round.
        changed: What else changed between the runs: versions, weights, settings.
        conditions: What differs so that times say little of the software; empty unless that was allowed.
        notes: What else to know, in sentences.
    """

    rows: tuple[RowChange, ...]
    regressions: tuple[Regression, ...]
    control: Ratio | None
    absolute: bool
    changed: tuple[Change, ...]
    conditions: tuple[Change, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain values: what ``fcn-edge compare --json`` prints."""
        control = self.control
        return {
            "rows": [row.to_json() for row in self.rows],
            "regressions": [regression.to_json() for regression in self.regressions],
            "control": {"ratio": control.center, "interval": [control.low, control.high]} if control else None,
            "absolute": self.absolute,
            "changed": [dict(zip(("what", "before", "after"), change, strict=True)) for change in self.changed],
            "conditions": [dict(zip(("what", "before", "after"), change, strict=True)) for change in self.conditions],
            "notes": list(self.notes),
        }


def change_text(ratio: float) -> str:
    """How a time changed, for people: ``10.2% longer`` is 1.102 times, ``10.2% less time`` 0.898 times.

    What is below 0.05% is ``no change``.
    """
    if abs(ratio - 1) < NO_CHANGE:
        return "no change"
    return f"{abs(ratio - 1):.1%} {'longer' if ratio > 1 else 'less time'}"


def interval_text(ratio: Ratio) -> str:
    """Where the change of a time lies, for people, such as ``+8.1% to +12.5%``."""
    return f"{ratio.low - 1:+.1%} to {ratio.high - 1:+.1%}"


def _values(which: str, row: Row | None) -> dict[str, Any]:
    times, network = (row.end_to_end_ms, row.network_ms) if row else (None, None)
    throughput, accuracy = (row.throughput, row.accuracy) if row else (None, None)
    return {
        f"{which}_ms": times.p50 if times else None,
        f"network_{which}_ms": network.p50 if network else None,
        f"fps_{which}": throughput.fps if throughput else None,
        f"miou_{which}": accuracy.miou if accuracy else None,
        f"memory_mb_{which}": row.memory_mb if row else None,
        f"state_{which}": row.state if row else None,
    }
