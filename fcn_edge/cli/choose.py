"""``fcn-edge choose``: the model, precision and size that meet limits, from a benchmark's result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.table import table
from fcn_edge.cli.verb import failure, say, verb

if TYPE_CHECKING:
    from fcn_edge.bench.choose import Choice
    from fcn_edge.bench.result import Row

__all__ = ["command"]

POSITIVE = click.FloatRange(min=0, min_open=True)
FRACTION = click.FloatRange(min=0, max=1)


@click.command(epilog="Example: fcn-edge choose results.json --fps 15 --max-drop 0.02")
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS.json")
@click.option(
    "--fps", type=POSITIVE, metavar="FPS", help="Least frames per second; the lower end of a row's interval counts."
)
@click.option(
    "--latency", type=POSITIVE, metavar="MS", help="Most milliseconds from frame to mask, for 99% of the frames."
)
@click.option(
    "--max-drop",
    type=FRACTION,
    metavar="SHARE",
    help="mIoU that may be lost compared with the most accurate row, as a fraction of 1.",
)
@click.option("--min-miou", type=FRACTION, metavar="SHARE", help="Least mIoU, as a fraction of 1.")
@click.option("--max-watts", type=POSITIVE, metavar="W", help="Most power, where the machine has a sensor.")
@click.option("--max-memory", type=POSITIVE, metavar="MB", help="Most memory of the process, in 10^6 bytes.")
@verb
def command(
    results: Path,
    fps: float | None,
    latency: float | None,
    max_drop: float | None,
    min_miou: float | None,
    max_watts: float | None,
    max_memory: float | None,
) -> dict[str, Any]:
    """Name the most accurate row of RESULTS, a result of fcn-edge bench, that meets all limits, and how to build it.

    Rows within 0.1 points of the best mIoU count as equally accurate: a steady one is preferred, then the one with the
    most throughput. Rows that were recorded on another device than this run's are left out. Where no row meets the
    limits, the exit code is 4, and the limits that cannot be met are named. Without limits the rows are listed of which
    no other is both faster and more accurate.
    """
    from fcn_edge.bench.choose import choose
    from fcn_edge.bench.limits import Wanted
    from fcn_edge.bench.result import read_result
    from fcn_edge.errors import GuardError

    wanted = Wanted(fps, latency, max_drop, min_miou, max_watts, max_memory)
    choice = choose(read_result(results), wanted)
    _print(choice)
    result = choice.to_json()
    if choice.conflict is not None:
        result |= failure(GuardError(choice.conflict.message, choice.conflict.fix))
    return result


def _print(choice: Choice) -> None:
    row = choice.row
    if row is not None:
        _print_chosen(row, choice)
    if row is not None and choice.notes:
        say()
    for note in choice.notes:
        say(note)
    if row is not None or choice.notes:
        say()
    if not choice.front:
        say("No row has both times and accuracy, so that there is no Pareto front.")
    else:
        say("The Pareto front: no other row is both faster and more accurate.")
        header = ["row", "time", "throughput", "mIoU"]
        marks = [_marks(one, row) for one in choice.front]
        rows = [_cells(one) for one in choice.front]
        if any(marks):
            header, rows = [*header, "note"], [[*cells, mark] for cells, mark in zip(rows, marks, strict=True)]
        say(table(header, rows))
    if not choice.limits:
        say()
        say("To have one chosen, give a limit, such as --fps 15.")


def _print_chosen(row: Row, choice: Choice) -> None:
    from fcn_edge.bench.commands import build_command

    height, width = row.size
    parts = [row.encoder and f"encoder {row.encoder}", row.decoder and f"decoder {row.decoder}"]
    parts += [row.precision, f"{height}x{width}", row.backend]
    say(f"{row.model}: {', '.join(part for part in parts if part)}")
    say()
    known = [(limit, limit.value(row)) for limit in choice.limits]
    say(table(["limit", "value"], [[limit.option, limit.text(value)] for limit, value in known if value is not None]))
    say()
    command = build_command(row)
    if command:
        say("Build it with:")
        say(f"    {command}")
    else:
        say("It is an engine already; run it with:")
        say("    fcn-edge run ENGINE SOURCE")
        say(f"ENGINE is the directory {row.model} that was measured.")


def _marks(row: Row, chosen: Row | None) -> str:
    marks = {
        "chosen": chosen is not None and row.name == chosen.name,
        "not steady": bool(row.unstable),
        "recorded": row.state == "recorded",
    }
    return ", ".join(mark for mark, holds in marks.items() if holds)


def _cells(row: Row) -> list[str]:
    assert row.end_to_end_ms is not None
    assert row.accuracy is not None
    return [
        row.name,
        f"{row.end_to_end_ms.p50:.1f} ms",
        f"{row.throughput.fps:.1f} fps" if row.throughput else "-",
        f"{row.accuracy.miou:.1%}{row.accuracy.over}",
    ]
