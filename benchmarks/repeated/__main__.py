"""The same suite again and again, and one of its rows made slower by a tenth.

    python -m benchmarks.repeated [--runs 11] [-o benchmarks/results/repeated.json]

Every run measures three engines of shipped models, and one of them once more in a process that makes each step of a
frame slower by a tenth. Two runs after each other are a pair. ``compare`` should find nothing in a pair as it is, and
exactly the slower row where the second run's row is exchanged for its slowed one. The medians of a pair should agree:
the interval of each row of one run and that of the other should overlap, in nine of ten rows at least that are not
marked unstable, and no interval of those should be wider than 8%. Nothing else should run meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import machine
from benchmarks.repeated.slowed_worker import SLOWER
from benchmarks.streams.verdict import Verdict, finish, output_option
from fcn_edge.bench.api import bench
from fcn_edge.bench.compare import compare_results
from fcn_edge.bench.measured import Measured, Request, measured_in_process
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.bench.suite import Group, Suite
from fcn_edge.builder.api import build

RESULTS = Path(__file__).resolve().parents[1] / "results" / "repeated.json"
SIZE = (256, 320)
ENGINES = {"fcn32s": "fp32", "fcn8s": "fp32", "fcn8s-int8": "int8"}
SLOWED = "fcn8s"
COPY = "slowed"
AGREE, WIDTH = 0.9, 0.08


@click.command()
@click.option("--runs", default=11, show_default=True, type=click.IntRange(min=2))
@click.option("--rounds", default=9, show_default=True, type=click.IntRange(min=1))
@click.option("--most-rounds", default=31, show_default=True, type=click.IntRange(min=1))
@click.option("--frames", default=12, show_default=True, type=click.IntRange(min=1))
@output_option(RESULTS)
def main(runs: int, rounds: int, most_rounds: int, frames: int, output: Path) -> None:
    """Measure again and again, and compare."""
    before = machine(None)
    with tempfile.TemporaryDirectory() as folder:
        engines = built_engines(Path(folder))
        rows = (Group(models=tuple(map(str, engines))),)
        suite = Suite(rounds=rounds, most_rounds=most_rounds, frames=frames, examples="", rows=rows)
        results = []
        for number in range(runs):
            results.append(bench(suite, "repeated", folder=Path(folder) / "run", measure=measured))
            click.echo(f"run {number + 1} of {runs}: {told(results[-1])}")
    pairs = [compared(first, second) for first, second in pairwise(results)]
    result = {
        "machine": before,
        "slower": SLOWER,
        "rounds": [one.rounds for one in results],
        "waits": [len(one.control.waits) for one in results],
        "control_moved": [one.control.moved for one in results],
        "medians_ms": {
            row.name: [p50(one.rows[place]) for one in results] for place, row in enumerate(results[0].rows)
        },
        "interval_widths": {
            row.name: [width(one.rows[place]) for one in results] for place, row in enumerate(results[0].rows)
        },
        "pairs": pairs,
        **verdict_of(pairs, results),
    }
    finish(output, result)


def built_engines(folder: Path) -> list[Path]:
    """The engines, and a copy of one that is measured slowed."""
    paths = []
    for name, precision in ENGINES.items():
        decoder = name.partition("-")[0]
        path = folder / name
        build(f"camvid-mobilenet_v2-{decoder}", path, backend="onnxruntime", precision=precision, size=SIZE)
        paths.append(path)
    shutil.copytree(folder / SLOWED, folder / COPY)
    return [*paths, folder / COPY]


def measured(request: Request) -> Measured:
    """A row of a round; the copy in a process that is slower."""
    slow = Path(request.model).name == COPY
    return measured_in_process(request, "benchmarks.repeated.slowed_worker") if slow else measured_in_process(request)


def compared(first: BenchResult, second: BenchResult) -> dict[str, Any]:
    """What ``compare`` says of two runs, of which the second is as the first, or has one row that is slower."""
    names = [row.name for row in first.rows[:-1]]
    planted = next(name for name in names if name.startswith(f"{SLOWED} "))
    slower = second.rows[-1].model_copy(update={"name": planted})
    equal = compare_results(without_copy(first), without_copy(second))
    with_slower = second.model_copy(
        update={"rows": tuple(slower if row.name == planted else row for row in second.rows[:-1])}
    )
    changed = compare_results(without_copy(first), with_slower)
    agreeing = [agree(one, other) for one, other in zip(first.rows, second.rows, strict=True) if steady(one, other)]
    return {
        "equal": [one.name for one in equal.regressions],
        "planted": [one.name for one in changed.regressions],
        "found": [one.name for one in changed.regressions] == [planted],
        "agreeing": sum(agreeing),
        "judged": len(agreeing),
    }


def without_copy(result: BenchResult) -> BenchResult:
    """The result without the slowed row."""
    return result.model_copy(update={"rows": result.rows[:-1]})


def steady(first: Row, second: Row) -> bool:
    """Neither row is marked unstable."""
    return not first.unstable and not second.unstable


def agree(first: Row, second: Row) -> bool:
    """The intervals of two medians overlap."""
    assert first.end_to_end_ms is not None
    assert second.end_to_end_ms is not None
    one, other = first.end_to_end_ms.interval, second.end_to_end_ms.interval
    return one[0] <= other[1] and other[0] <= one[1]


def verdict_of(pairs: list[dict[str, Any]], results: list[BenchResult]) -> dict[str, Any]:
    """What must hold of the pairs."""
    verdict = Verdict()
    verdict.equal("pairs in which nothing changed and something was found", sum(bool(one["equal"]) for one in pairs), 0)
    verdict.equal(
        "pairs in which the slower row was found, and it alone", sum(one["found"] for one in pairs), len(pairs)
    )
    judged = sum(one["judged"] for one in pairs)
    disagreeing = judged - sum(one["agreeing"] for one in pairs)
    verdict.at_most("share of rows whose medians do not agree", disagreeing / max(1, judged), 1 - AGREE)
    widths = [width(row) for result in results for row in result.rows if not row.unstable]
    verdict.at_most("widest interval of a row that is not marked unstable", max(widths, default=None), WIDTH)
    unstable = sum(bool(row.unstable) for result in results for row in result.rows)
    return {"unstable_rows": unstable, "checks": verdict.checks, "failed": verdict.failed}


def p50(row: Row) -> float:
    """Median of a row, in milliseconds."""
    assert row.end_to_end_ms is not None
    return row.end_to_end_ms.p50


def width(row: Row) -> float:
    """Width of the interval of a row's median, as a share of it."""
    assert row.end_to_end_ms is not None
    low, high = row.end_to_end_ms.interval
    return round((high - low) / row.end_to_end_ms.p50, 4)


def told(result: BenchResult) -> str:
    """A run in a line."""
    medians = ", ".join(f"{row.model} {p50(row):.2f} ms" for row in result.rows)
    return f"{medians}; the control moved by {result.control.moved:.1%} in {result.rounds} rounds"


if __name__ == "__main__":
    main()
