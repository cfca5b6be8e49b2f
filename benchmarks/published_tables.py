"""The tables and the plot of the README, made of the committed results.

    python -m benchmarks.published_tables            # writes README.md, benchmarks/README.md, the plot and the report
    python -m benchmarks.published_tables --check    # says what is not as the results are, and ends with 1

A section begins and ends with a comment that names it. That of the plot holds the digests of the result that it was
drawn from, of the picture and of the report, so that the check needs no plotting, whose output differs between versions
of matplotlib.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.kernel_record.record import read_record
from benchmarks.kernel_record.table import code_table, loads_table
from benchmarks.nets.shipped import models_before, models_now, shipped_table
from benchmarks.nets.tables import (
    nets_table,
    results_of_nets,
    small_sets,
    small_sets_table,
    variants_of_nets,
    variants_table,
)
from benchmarks.peers.table import markdown as peers_in_full
from fcn_edge.bench.report import COLUMNS, Column, markdown_table, write_html, write_plots
from fcn_edge.bench.report.markdown import table_of_cells
from fcn_edge.bench.result import BenchResult, Row, read_result

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "benchmarks/README.md")
SHIPPED = ROOT / "benchmarks" / "results" / "shipped.json"
INT8 = ROOT / "benchmarks" / "results" / "int8.json"
PEERS = ROOT / "benchmarks" / "results" / "peers.json"
PLOT = ROOT / "docs" / "latency.png"
REPORT = SHIPPED.with_suffix(".html")
PLOTTED = "accuracy-latency.png"
SHOWN = ("decoder", "precision", "size", "backend", "end_to_end", "network", "throughput", "miou")
ACCURACY = ("decoder", "precision", "backend", "end_to_end", "miou", "of_fp32")
SECTION = re.compile(
    r"(<!-- (?P<name>[a-z0-9 ]+): begin [^\n]*-->\n)(?P<content>.*?)(<!-- (?P=name): end -->)", re.DOTALL
)


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; end with 1 where a page is not as the results are.")
def main(check: bool) -> None:
    """Write the sections of the pages anew, or check them."""
    if check:
        outdated = [name for name, old, new in pages(sections()) if old != new]
        if outdated:
            raise SystemExit(f"Out of date: {', '.join(outdated)}. Run: python -m benchmarks.published_tables")
        return
    draw()
    for name, old, new in pages(sections()):
        if old != new:
            (ROOT / name).write_text(new, encoding="utf-8")
            click.echo(f"wrote {name}")


def pages(contents: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name, text and new text of each page.

    Args:
        contents: Content of the sections by name.
    """
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8")
        yield (
            name,
            text,
            SECTION.sub(lambda found: found[1] + contents.get(found["name"], found["content"]) + found[4], text),
        )


def sections() -> dict[str, str]:
    """Content of every section by its name."""
    shipped, peers = read_result(SHIPPED), json.loads(PEERS.read_text(encoding="utf-8"))
    kernels = read_record()
    return {
        "latency plot": plot_section(),
        "latency table": latency_table(shipped),
        "int8 table": int8_table(read_result(INT8)),
        "peers": peers_table(peers),
        "all peers": f"{peers_in_full(peers)}\n\n*{peers_measured_on(peers)}.*\n",
        "kernel code": code_table(kernels),
        "kernel loads": loads_table(kernels),
        "nets": nets_table(results_of_nets()),
        "shipped nets": shipped_table(models_before(), models_now()),
        "variants": variants_table(variants_of_nets()),
        "small sets": small_sets_table(small_sets()),
    }


def latency_table(result: BenchResult) -> str:
    """Rows of the shipped models, and what they were measured on."""
    columns = [column for column in COLUMNS if column.key in SHOWN]
    rows = [row for row in result.rows if row.state == "measured" and row.ends == "mask"]
    marks = {row.name: "not steady" for row in rows if row.unstable}
    return f"{markdown_table(rows, columns, marks)}\n\n{_closing(result)}"


def _closing(result: BenchResult) -> str:
    """What a table was measured on, and how steady that was."""
    waits = result.control.waits
    lines = [f"*{measured_on(result)}.*"]
    if waits:
        lines.append(
            f"*The run waited {len(waits)} times for the machine: the control took {min(waits):.1f} to "
            f"{max(waits):.1f} ms then, and {min(result.control.rounds):.1f} to {max(result.control.rounds):.1f} ms "
            "before the rows.*"
        )
    if result.unstable:
        lines.append(f"*{result.unstable}*")
    return "\n\n".join(lines) + "\n"


def int8_table(result: BenchResult) -> str:
    """What INT8 gains and loses, also for machines that are not here; the class that loses most against FP32."""
    columns = [column for column in COLUMNS if column.key in ACCURACY]
    rows = [row for row in result.rows if row.accuracy is not None]
    cells = [[*(_cell(column, row) for column in columns), worst_class(row, rows)] for row in rows]
    for row, texts in zip(rows, cells, strict=True):
        texts[0] += " (not steady)" if row.unstable else ""
    header = [*(column.title for column in columns), "worst class"]
    return f"{table_of_cells(header, cells, 3)}\n\n{_closing(result)}"


def _cell(column: Column, row: Row) -> str:
    return " ".join(filter(None, (column.text(row), f"({column.detail(row)})" if column.detail(row) else "")))


def worst_class(row: Row, rows: Sequence[Row]) -> str:
    """The class that loses most against FP32, and how many points; empty for FP32 itself."""
    same = [one for one in rows if (one.model, one.size, one.precision) == (row.model, row.size, "fp32")]
    fp32 = next((one for one in same if one.backend == row.backend), same[0] if same else None)
    if row.precision == "fp32" or fp32 is None or fp32.accuracy is None or row.accuracy is None:
        return ""
    now = row.accuracy.per_class
    losses = {name: (now[name] or 0.0) - old for name, old in fp32.accuracy.per_class.items() if old is not None}
    worst = min(losses, key=losses.__getitem__)
    return f"{worst} {100 * losses[worst]:+.1f}"


def measured_on(result: BenchResult) -> str:
    """Machine, versions, frames and images of a result in one line."""
    rows = [row for row in result.rows if row.end_to_end_ms is not None]
    cpu, packages = result.machine["cpu"], result.machine["software"]["packages"]
    libraries = sorted({row.library for row in rows})
    words = (
        f"{cpu['name']} ({cpu['instruction_set']}), {result.threads} threads, {', '.join(libraries)}, fcn_edge "
        f"{packages['fcn_edge']}, {result.started[:10]}; frames of {rows[0].frame_size[0]}x{rows[0].frame_size[1]}, "
        f"{result.rounds} rounds, intervals of {min(_confidences(rows)):.0%} confidence"
    )
    data = next((row.accuracy for row in result.rows if row.accuracy is not None), None)
    return words if data is None else f"{words}; mIoU on {data.dataset} {data.split}, {data.images} images"


def _confidences(rows: Sequence[Row]) -> list[float]:
    return [row.end_to_end_ms.confidence for row in rows if row.end_to_end_ms is not None]


def peers_table(peers: Mapping[str, Any]) -> str:
    """Ways to run the same network, one call a frame: the fastest first, and what they were measured on."""
    rows = [row for row in peers["rows"] if row["group"] == "call" and "median_ms" in row]
    rows.sort(key=lambda row: row["median_ms"])
    cells = [
        [row["title"], _PRECISIONS.get(row["precision"], row["precision"]), *_times(row), _alike(row)] for row in rows
    ]
    header = ["way", "precision", "frame to mask (ms)", "range of the rounds", "mask as ours at the network's size"]
    return f"{table_of_cells(header, cells, 2)}\n\n*{peers_measured_on(peers)}.*\n"


_PRECISIONS = {"fp32": "FP32", "int8": "INT8", "own": "the library's choice"}


def peers_measured_on(peers: Mapping[str, Any]) -> str:
    """Machine, model, frames and rounds in one line."""
    cpu = peers["machine"]["cpu"]
    size, frame = ("x".join(map(str, peers[name])) for name in ("size", "frame_size"))
    return (
        f"{cpu['name']} ({cpu['instruction_set']}), {cpu['cores']} cores, {peers['model']} at {size}, frames of "
        f"{frame}, medians of {peers['rounds']} alternating rounds of {peers['frames']} frames, each in its own process"
    )


def _times(row: Mapping[str, Any]) -> tuple[str, str]:
    low, high = row["range_ms"]
    return f"{row['median_ms']:.1f}", f"{low:.1f} to {high:.1f}"


def _alike(row: Mapping[str, Any]) -> str:
    shares = row.get("same_pixels")
    return f"{shares['network']:.2%}" if shares else "\N{EN DASH}"


def draw() -> None:
    """Draw plot and report of the committed result, where it is another one than they were drawn from."""
    if plot_section() in (ROOT / "README.md").read_text(encoding="utf-8"):
        return
    result = read_result(SHIPPED)
    with tempfile.TemporaryDirectory() as folder:
        write_plots(result, Path(folder))
        PLOT.write_bytes((Path(folder) / PLOTTED).read_bytes())
    write_html(result, REPORT)
    click.echo(f"drew {PLOT.relative_to(ROOT)} and {REPORT.relative_to(ROOT)}")


def plot_section() -> str:
    """The picture, with the digests of the result and of what was drawn from it."""
    digests = [digest(path) for path in (SHIPPED, PLOT, REPORT)]
    return (
        f"![Accuracy against latency of the shipped models on a processor]({PLOT.relative_to(ROOT)})\n\n"
        f"<!-- drawn from {SHIPPED.relative_to(ROOT)}: {' '.join(digests)} -->\n"
    )


def digest(path: Path) -> str:
    """The beginning of a file's SHA-256; ``none`` where there is no file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else "none"


if __name__ == "__main__":
    main()
