"""``fcn-edge compare``: whether one benchmark run is worse than another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.table import table
from fcn_edge.cli.verb import failure, say, verb

if TYPE_CHECKING:
    from fcn_edge.bench.comparison import Comparison, RowChange
    from fcn_edge.bench.result import BenchResult, Row

__all__ = ["command"]

SHARE = click.FloatRange(min=0)


@click.command(epilog="Example: fcn-edge compare before.json after.json")
@click.argument("before", type=click.Path(path_type=Path), metavar="A.json")
@click.argument("after", type=click.Path(path_type=Path), metavar="B.json")
@click.option(
    "--threshold",
    type=SHARE,
    metavar="SHARE",
    default=0.05,
    show_default=True,
    help="Share by which a row may become slower; below 0.05, chance alone is sometimes a regression.",
)
@click.option(
    "--max-drop",
    type=SHARE,
    metavar="SHARE",
    default=0.005,
    show_default=True,
    help="mIoU that a row may lose, as a fraction of 1.",
)
@click.option(
    "--max-class-drop",
    type=SHARE,
    metavar="SHARE",
    default=0.02,
    show_default=True,
    help="IoU that any one class may lose.",
)
@click.option(
    "--max-memory-growth",
    type=SHARE,
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Share by which a row's memory may grow.",
)
@click.option("--absolute", is_flag=True, help="Compare times as they are: on a machine of your own with fixed clocks.")
@click.option(
    "--across-machines",
    is_flag=True,
    help="Compare even where machine, threads or frames differ; times as they are.",
)
@verb
def command(
    before: Path,
    after: Path,
    threshold: float,
    max_drop: float,
    max_class_drop: float,
    max_memory_growth: float,
    absolute: bool,
    across_machines: bool,
) -> dict[str, Any]:
    """Compare the results A and B of fcn-edge bench, row by row; exit code 4 when B is worse.

    A machine's speed changes, so that each round's time is divided by that of the control in the same round, which is
    the same work in every run. A row is slower where the change is very probable (its interval, widened for the number
    of rows) and above --threshold, and unchanged where the interval lies within it. What cannot be told is undecided,
    and is no regression. Losing accuracy is one, so is memory that grows, and a row that B did not measure. Times are
    medians from frame to mask; throughput, p99, power and load times are not compared.
    """
    from fcn_edge.bench.compare import CompareLimits, compare_results
    from fcn_edge.bench.result import read_result
    from fcn_edge.errors import GuardError

    first, second = read_result(before), read_result(after)
    limits = CompareLimits(threshold, max_drop, max_class_drop, max_memory_growth)
    comparison = compare_results(first, second, limits, absolute=absolute, across_machines=across_machines)
    _print(comparison, (before, first), (after, second))
    result = comparison.to_json()
    if comparison.regressions:
        worst = comparison.regressions[0]
        count = len({one.name for one in comparison.regressions})
        rows = "1 row is" if count == 1 else f"{count} rows are"
        first_of = "" if len(comparison.regressions) == 1 else "first of all "
        message = f"{rows} worse than before: {first_of}{worst.name}: {worst.reason.rstrip('.')}."
        result |= failure(
            GuardError(message, "Look for the cause in what changed between the runs, or raise the limit.")
        )
    return result


def _print(comparison: Comparison, before: tuple[Path, BenchResult], after: tuple[Path, BenchResult]) -> None:
    from fcn_edge.bench.conditions import change_of

    for which, (path, result) in (("A", before), ("B", after)):
        say(f"{which}  {path}: {result.suite}, {result.started}, {result.rounds} rounds")
    for title, changes in (("Not alike", comparison.conditions), ("Changed", comparison.changed)):
        if changes:
            say(f"{title}: " + "; ".join(change_of(one) for one in changes))
    say(_control(comparison))
    if comparison.notes:
        say()
    for note in comparison.notes:
        say(note)
    say()
    header = ["row", "A", "B", "change", "interval", "confidence", "mIoU A", "mIoU B", "verdict"]
    say(table(header, [_cells(row) for row in comparison.rows]))
    notes = [f"{row.name}: {row.note}" for row in comparison.rows if row.note]
    if notes:
        say()
        for note in notes:
            say(note)
    say()
    if comparison.regressions:
        say("Regressions:")
        for one in comparison.regressions:
            say(f"  {one.name}: {one.reason}")
    else:
        say("No regression was found.")
    counts = Counter(row.verdict for row in comparison.rows)
    say("Rows: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + ".")


def _control(comparison: Comparison) -> str:
    from fcn_edge.bench.comparison import change_text, interval_text

    control = comparison.control
    divided = "Times are compared as they are." if comparison.absolute else "Times are divided by the control's."
    if control is None:
        return f"The controls cannot be compared. {divided}"
    text, interval = change_text(control.center), interval_text(control)
    if control.low <= 1 <= control.high or text == "no change":
        return f"The control shows no clear change: {control.center - 1:+.1%} ({interval}). {divided}"
    return f"The control takes {text} ({interval}): the machine, or everything. {divided}"


def _cells(row: RowChange) -> list[str]:
    from fcn_edge.bench.comparison import change_text, interval_text

    return [
        row.name,
        *(_time(one) for one in (row.before, row.after)),
        change_text(row.ratio.center) if row.ratio else "-",
        interval_text(row.ratio) if row.ratio else "-",
        f"{row.ratio.confidence:.0%}" if row.ratio else "-",
        *(_miou(one) for one in (row.before, row.after)),
        row.verdict,
    ]


def _time(row: Row | None) -> str:
    return f"{row.end_to_end_ms.p50:.1f} ms" if row and row.end_to_end_ms else "-"


def _miou(row: Row | None) -> str:
    return f"{row.accuracy.miou:.1%}{row.accuracy.over}" if row and row.accuracy else "-"
