"""Whether the second of two benchmark runs became worse: slower, less accurate, larger, or not measured any more.

A shared machine drifts between and within runs, so that each round's time is divided by that round's control before
runs are compared: what slows everything cancels. A row is slower where the center of the ratio lies above the threshold
and its whole interval above 1, the interval being as wide as it must be for all rows together. It is unchanged only
where the whole interval lies within the threshold; a center near 1 alone may hide any change.

The rule and its threshold were chosen by simulation (``tests/bench/made_up_runs.py``, 1000 pairs of runs, 13 rows and
9 rounds each). Each row's rounds scatter by 1 to 3%, the control's by 1%; the machine drifts by 1% from round to round
and differs by 5% between runs; 3% of a row's rounds take 5 to 50% longer, and 3% of all rounds are slow for everything.

    threshold    equal runs with a regression    a row slower by 10% that is found
    3%           4.7%                            99.2%
    5%           0.6%                            99.2%
    7%           0.0%                            97.4%

With 40 rows, 5% give 1.3% and 99.5%; with 5 rounds, 1.0% and 70%; with 3 rounds, 3.3% and 66%. A row slower by 5% is
found in half of the pairs. Without the division, 34% of the pairs of equal runs have a regression. On a worse machine
(rows scatter by 1 to 4%, the control by 1.5%, drift 1.5%, 5% of the rounds disturbed) 5% give 2.7% and 94%; with 15
rounds, 0.3% and 99.5%.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fcn_edge.bench.comparison import Comparison, Regression, RowChange, Verdict, change_text, interval_text
from fcn_edge.bench.conditions import change_of, changed_versions, chose_others, differing_conditions
from fcn_edge.bench.ratios import LEAST_ROUNDS, Ratio, ratio_of
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.bench.worse import accuracy_regressions, images_of, memory_regression
from fcn_edge.errors import UsageError
from fcn_edge.text import printable

__all__ = ["CompareLimits", "compare_results"]


@dataclass(frozen=True)
class CompareLimits:
    """From where on something is a regression.

    Attributes:
        threshold: Share by which a row may become slower.
        max_drop: mIoU that a row may lose, as a fraction.
        max_class_drop: IoU that any one of its classes may lose.
        max_memory_growth: Share by which its memory may grow.
    """

    threshold: float = 0.05
    max_drop: float = 0.005
    max_class_drop: float = 0.02
    max_memory_growth: float = 0.1


def compare_results(
    before: BenchResult,
    after: BenchResult,
    limits: CompareLimits | None = None,
    *,
    absolute: bool = False,
    across_machines: bool = False,
) -> Comparison:
    """Compare two results row by row, by name.

    Args:
        before: The result to compare with.
        after: The newer one.
        limits: From where on something is a regression; the defaults when left out.
        absolute: Compare times as they are, on a machine of one's own with fixed clocks; controls may differ.
        across_machines: Compare even where machine, threads or frames differ; times are then compared as they are.

    Raises:
        UsageError: Machine, threads, frames or control differ, and that was not allowed.
    """
    limits = limits or CompareLimits()
    conditions = differing_conditions(before, after)
    same_control = before.control.name == after.control.name
    if not same_control and not absolute:
        conditions.append(("control", before.control.name, after.control.name))
    if conditions and not across_machines:
        what = printable("; ".join(change_of(one) for one in conditions))
        raise UsageError(
            f"The two runs were not made alike, so that their times say nothing of the software ({what}).",
            "Measure both on one machine with the same settings, or add --across-machines.",
        )
    absolute = absolute or across_machines
    old, new = ({row.name: row for row in result.rows} for result in (before, after))
    unsteady = _unsteady(before, after)
    changes = [_Pair(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
    ratios = {
        pair.name: pair.ratio(None if absolute else (before.control.rounds, after.control.rounds))
        for pair in changes
        if pair.timed
    }
    count = sum(ratio is not None for ratio in ratios.values())
    rows = [_judged(pair, ratios.get(pair.name), count, absolute, unsteady, limits.threshold) for pair in changes]
    left_out = sum(any(ratio.left_out) for ratio in ratios.values() if ratio)
    rows.sort(key=lambda row: -row.ratio.center if row.ratio else 0.0)  # a ratio is positive: those without come last
    return Comparison(
        rows=tuple(rows),
        regressions=tuple(one for row in rows for one in _regressions(row, limits)),
        control=ratio_of(before.control.rounds, after.control.rounds) if same_control else None,
        absolute=absolute,
        changed=tuple(changed_versions(before, after)),
        conditions=tuple(conditions),
        notes=tuple(_notes(before, after, changes, unsteady, left_out, count)),
    )


@dataclass(frozen=True)
class _Pair:
    name: str
    before: Row | None
    after: Row | None

    @property
    def timed(self) -> bool:
        """Both were measured by the runs themselves."""
        return all(row is not None and row.state == "measured" for row in (self.before, self.after))

    def ratio(self, controls: tuple[Sequence[float], Sequence[float]] | None) -> Ratio | None:
        """Ratio of the times, divided by the control of their round where there is one."""
        sides: list[list[float]] = []
        for number, row in enumerate((self.before, self.after)):
            assert row is not None
            assert row.end_to_end_ms is not None
            rounds = list(row.end_to_end_ms.rounds)
            if controls is not None:
                if len(controls[number]) != len(rounds):
                    return None
                rounds = [time / control for time, control in zip(rounds, controls[number], strict=True)]
            sides.append(rounds)
        return ratio_of(*sides)


def _judged(pair: _Pair, ratio: Ratio | None, count: int, absolute: bool, unsteady: str, threshold: float) -> RowChange:
    before, after = pair.before, pair.after
    had, has = (row is not None and row.end_to_end_ms is not None for row in (before, after))
    verdict: Verdict = "not compared"
    note = ""
    if after is None:
        if had:
            verdict, note = "missing", "The second result has no such row."
    elif not has:
        verdict, note = ("not measured" if had else "not compared"), after.problem or f"The row is {after.state}."
    elif before is None or not had:
        verdict = "new"
    elif not pair.timed:
        note = "Its times were taken from an earlier result."
    else:
        # a ratio to the control has an interval of its own, which is wide where the machine's unrest is not shared
        reason = (unsteady or before.unstable or after.unstable) if absolute else ""
        verdict, note = _verdict(ratio, count, reason, threshold)
    if before is not None and after is not None and chose_others(before, after):
        note = f"{note} The two runs chose different backends.".lstrip()
    return RowChange(pair.name, verdict, note, ratio, before, after)


def _verdict(ratio: Ratio | None, count: int, reason: str, threshold: float) -> tuple[Verdict, str]:
    if reason:
        return "undecided", reason
    if ratio is None:
        return "undecided", f"There are too few rounds: {LEAST_ROUNDS} of each run are needed, with a control in each."
    low, high = ratio.together(count)
    least, most = 1 / (1 + threshold), 1 + threshold
    if least <= low and high <= most:
        return "unchanged", ""
    if ratio.center > most and low > 1:
        return "slower", ""
    if ratio.center < least and high < 1:
        return "faster", ""
    change = f"It changed by {ratio.center - 1:+.1%}, but {low - 1:+.1%} to {high - 1:+.1%} is possible"
    return "undecided", f"{change}: more rounds would tell."


def _unsteady(before: BenchResult, after: BenchResult) -> str:
    for which, result in (("first", before), ("second", after)):
        if result.unstable:
            return f"The {which} run is marked unstable: {result.unstable}"
    return ""


def _regressions(row: RowChange, limits: CompareLimits) -> list[Regression]:
    if row.verdict in ("missing", "not measured"):
        return [Regression(row.name, "missing", f"It was measured before. {row.note}")]
    found = []
    if row.verdict == "slower" and row.ratio is not None:
        interval = f"{interval_text(row.ratio)} with {row.ratio.confidence:.0%} confidence"
        reason = f"takes {change_text(row.ratio.center)} ({interval}){_where(row)}"
        found.append(Regression(row.name, "time", reason))
    if row.before is None or row.after is None or row.after.state == "recorded":
        return found
    found += accuracy_regressions(row.before, row.after, limits.max_drop, limits.max_class_drop)
    return found + memory_regression(row.before, row.after, limits.max_memory_growth)


def _where(row: RowChange) -> str:
    """The stage that grew most, which is where to look."""
    assert row.before is not None
    assert row.after is not None
    old, new = row.before.stages_ms, row.after.stages_ms
    growth = {stage: new[stage] - old[stage] for stage in new if stage in old}
    stage = max(growth, key=lambda one: growth[one], default="")
    return f", most of it in {stage} ({growth[stage]:+.1f} ms)" if stage and growth[stage] > 0 else ""


def _notes(
    before: BenchResult, after: BenchResult, pairs: Sequence[_Pair], unsteady: str, left_out: int, count: int
) -> list[str]:
    notes = [unsteady] if unsteady else []
    if count > 1:
        notes.append(f"Verdicts use wider intervals, for {count} rows together.")
    if left_out:
        notes.append(f"In {left_out} of {len(pairs)} rows, rounds far from the others are left out.")
    if before.suite != after.suite:
        notes.append(f"The suites differ: {before.suite} and {after.suite}.")
    lost = [
        pair.name
        for pair in pairs
        if pair.before and pair.after and pair.before.accuracy and not pair.after.accuracy and pair.after.end_to_end_ms
    ]
    if lost:
        notes.append(f"The second run measured no accuracy of {', '.join(lost)}.")
    other = [
        pair.name
        for pair in pairs
        if pair.before
        and pair.after
        and pair.before.accuracy
        and pair.after.accuracy
        and images_of(pair.before.accuracy) != images_of(pair.after.accuracy)
    ]
    if other:
        notes.append(f"Accuracy was measured on other images, and is not compared: {', '.join(other)}.")
    return notes
