"""Which limits no row meets together, and how near rows come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from fcn_edge.bench.limits import Limit
from fcn_edge.bench.result import Row

__all__ = ["Conflict", "conflict_of"]


@dataclass(frozen=True)
class Conflict:
    """What no row meets.

    Attributes:
        message: The smallest set of limits that no row meets, and the nearest rows, in a sentence.
        fix: What may help.
        nearest: What the nearest row has of each limit of that set, by option, while it meets the others of them; None
            where no row has any.
    """

    message: str
    fix: str
    nearest: Mapping[str, float | None]


def conflict_of(rows: Sequence[Row], limits: Sequence[Limit]) -> Conflict:
    """The smallest set of limits that no row meets, and how near rows come to each while they meet the others.

    Args:
        rows: Those that could be chosen.
        limits: At least one; no row meets all.
    """
    if not rows:
        return Conflict(
            "No row was timed from frame to mask.", "Run fcn-edge bench on a machine that can run these models.", {}
        )
    for count in range(1, len(limits) + 1):
        for some in combinations(limits, count):
            if not any(_meets(row, some) for row in rows):
                return _told(rows, some)
    raise AssertionError("a row meets all limits")


def _told(rows: Sequence[Row], limits: Sequence[Limit]) -> Conflict:
    nearest = {
        limit: limit.nearest([row for row in rows if _meets(row, [one for one in limits if one is not limit])])
        for limit in limits
    }
    return Conflict(
        _alone(limits[0], nearest[limits[0]], rows) if len(limits) == 1 else _together(nearest),
        "Relax a limit, or measure other models, precisions or sizes.",
        {limit.option: limit.value(row) if row is not None else None for limit, row in nearest.items()},
    )


def _alone(limit: Limit, nearest: Row | None, rows: Sequence[Row]) -> str:
    if nearest is not None:
        return f"{limit.option} cannot be met: the nearest is {_with(limit, nearest)}."
    return f"{limit.option} cannot be met: {limit.unknown} was not measured{_why_not(limit, rows)}."


def _together(nearest: Mapping[Limit, Row | None]) -> str:
    names = [limit.option for limit in nearest]
    told = []
    for limit, row in nearest.items():
        asked = " and ".join(one.asked for one in nearest if one is not limit)
        told.append(
            f"{limit.unknown} of those with {asked} was not measured"
            if row is None
            else f"with {asked} the nearest is {_with(limit, row)}"
        )
    return f"{', '.join(names[:-1])} and {names[-1]} cannot be met together: {'; '.join(told)}."


def _meets(row: Row, limits: Sequence[Limit]) -> bool:
    return all(limit.met_by(row) for limit in limits)


def _with(limit: Limit, row: Row) -> str:
    value = limit.value(row)
    assert value is not None
    return f"{row.name} with {limit.text(value)}"


def _why_not(limit: Limit, rows: Sequence[Row]) -> str:
    reasons = (
        {row.power.absent for row in rows if row.power and row.power.absent} if limit.unknown == "power" else set()
    )
    return f": {' '.join(sorted(reasons)).rstrip('.')}" if reasons else ""
