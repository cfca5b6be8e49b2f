"""``fcn-edge bench``: latency against accuracy, a row per model, precision, backend and size."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fcn_edge.cli.progress import progress_bar
from fcn_edge.cli.table import table
from fcn_edge.cli.verb import SIZE, note, say, verb
from fcn_edge.errors import ModelError, UsageError, needed_for

if TYPE_CHECKING:
    from fcn_edge.bench.result import BenchResult, Row
    from fcn_edge.bench.suite import Suite

__all__ = ["command"]

PATH = click.Path(path_type=Path, dir_okay=False)


@click.command(epilog="Example: fcn-edge bench shipped --data data/camvid/val --html report.html")
@click.argument("what", metavar="SUITE|MODEL...", nargs=-1, required=True)
@click.option("--data", metavar="DIR", help="Score every row on a split: images/ and labels/, or rendered scenes.")
@click.option("--size", "sizes", type=SIZE, multiple=True, help="Network size of MODEL; may be given again.")
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["fp32", "fp16", "int8"]),
    multiple=True,
    help="Precision of MODEL; may be given again. Default: fp32.",
)
@click.option("--backend", "backends", multiple=True, help="May be given again. Default: the fastest here.")
@click.option("--calibration", metavar="TABLE", help="Calibration table of an .onnx MODEL, for int8.")
@click.option("--source", metavar="SOURCE", help="Video, folder or rendered street that the frames are of.")
@click.option("--rounds", type=click.IntRange(1, 999), help="Number of rounds; as many as needed when left out.")
@click.option("--frames", type=click.IntRange(1, 100_000), help="Frames timed per row and round.")
@click.option("--no-wait", is_flag=True, help="Do not wait for a machine that is slower than before.")
@click.option("--device", type=click.IntRange(min=0), default=0, metavar="N", help="GPU, counted from 0.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--work", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Where engines are kept.")
@click.option("--json-out", type=PATH, help="Write the result, for compare, choose and reports.")
@click.option("--html", type=PATH, help="Write the report as one page.")
@click.option("--markdown", type=PATH, help="Write the report as Markdown.")
@click.option("--plots", type=click.Path(path_type=Path, file_okay=False), help="Write the plots as PNG and SVG.")
@verb
def command(
    what: tuple[str, ...],
    data: str | None,
    sizes: tuple[tuple[int, int], ...],
    precisions: tuple[str, ...],
    backends: tuple[str, ...],
    calibration: str | None,
    source: str | None,
    rounds: int | None,
    frames: int | None,
    no_wait: bool,
    device: int,
    resume: bool,
    work: Path | None,
    json_out: Path | None,
    html: Path | None,
    markdown: Path | None,
    plots: Path | None,
) -> dict[str, Any]:
    """Measure a SUITE, or MODELs, in interleaved rounds.

    SUITE is a shipped one (shipped, cpu, int8, tensorrt, demo) or a .toml file; MODEL is a shipped name, an .onnx file
    or an engine directory. Every row is measured in every round, in a process of its own: the network alone, a frame
    from memory to its mask, and the pipeline's frames per second. Each median comes with its confidence interval.
    """
    from fcn_edge.bench.api import Watch, bench
    from fcn_edge.bench.result import write_result
    from fcn_edge.io.outputs import check_new_folder, check_outputs

    group = {
        "sizes": sizes,
        "precisions": precisions,
        "backends": backends,
        "calibration": calibration,
    }
    name, suite = _suite(what, {key: value for key, value in group.items() if value})
    changes: dict[str, Any] = {
        "data": data,
        "source": source,
        "frames": frames,
        "rounds": rounds,
        "most_rounds": rounds,
        "patience": 0.0 if no_wait else None,
    }
    suite = suite.model_copy(update={key: value for key, value in changes.items() if value is not None})
    outputs = {"result": json_out, "page": html, "report in Markdown": markdown}
    folders = {"folder of the plots": plots, "folder of the work": work}
    named = [*what, calibration, source, *suite.recorded]
    reads = {f"input {text}": Path(text) for text in named if text is not None}
    for what_for, folder in folders.items():
        if folder is not None:
            check_new_folder(folder)
            reads[what_for] = folder
    check_outputs({name: path for name, path in outputs.items() if path is not None}, reads)
    if html is not None or plots is not None:
        with needed_for("The report"):  # before all the work that would be for nothing
            import_module("jinja2")
            import_module("matplotlib")
    with progress_bar("scoring") as scoring, progress_bar("measuring", "row") as measuring:
        result = bench(
            suite,
            name,
            folder=work or default_folder(name, what),
            resume=resume,
            device=device,
            watch=Watch(note, scoring, measuring),
        )
    if json_out is not None:
        write_result(json_out, result)
    _write_reports(result, html, markdown, plots)
    _print(result)
    return _contract(result)


def _suite(what: tuple[str, ...], group: dict[str, Any]) -> tuple[str, Suite]:
    from fcn_edge.artifacts.models import shipped_models
    from fcn_edge.bench.suite import Group, Suite, read_suite, shipped_suites
    from fcn_edge.io.redaction import without_passwords

    if any(one in shipped_suites() or one.endswith(".toml") for one in what):
        if len(what) > 1 or group:
            raise UsageError(
                "A suite names its own models, precisions, backends and sizes.",
                "Give one suite alone, or models without a suite.",
            )
        return read_suite(what[0])
    if len(what) == 1 and what[0] not in shipped_models() and not Path(what[0]).exists():
        raise ModelError(
            f"There is no suite and no model {without_passwords(what[0])!r}: a shipped name, a .toml file, an .onnx "
            "file or an engine directory was expected.",
            f"Shipped suites: {', '.join(shipped_suites())}. Shipped models: {', '.join(shipped_models()) or 'none'}.",
        )
    return "models", Suite(rows=(Group(models=what, **group),))


def default_folder(name: str, what: tuple[str, ...]) -> Path | None:
    """Where a run of named models is kept, apart from runs of others; None for a suite, which has its name."""
    from fcn_edge.io.runs import runs_directory

    if name != "models":
        return None
    return runs_directory() / "bench" / f"models-{hashlib.sha256(chr(0).join(what).encode()).hexdigest()[:8]}"


def _write_reports(result: BenchResult, html: Path | None, markdown: Path | None, plots: Path | None) -> None:
    if html is not None:
        from fcn_edge.bench.report import write_html

        write_html(result, html)
    if markdown is not None:
        from fcn_edge.bench.report import write_markdown

        write_markdown(result, markdown)
    if plots is not None:
        from fcn_edge.bench.report import write_plots

        write_plots(result, plots)


def _print(result: BenchResult) -> None:
    rows = [row for row in result.rows if row.end_to_end_ms is not None]
    surest = min((row.end_to_end_ms.confidence for row in rows if row.end_to_end_ms is not None), default=0.0)
    interval = f"{surest:.0%} interval" if surest else "of one round"
    header = ["row", "network ms", "frame to mask ms", interval, "p99", "frames/s", "mIoU"]
    say(table(header, [_cells(row) for row in rows]))
    for row in result.rows:
        if row.problem:
            say(f"{row.name}: {row.problem} {row.fix}".rstrip())
        if row.unstable:
            say(f"{row.name} is unstable. {row.unstable}")
    if result.unstable:
        say(f"Unstable: {result.unstable}")


def _cells(row: Row) -> list[str]:
    assert row.end_to_end_ms is not None
    assert row.network_ms is not None
    whole = row.end_to_end_ms
    return [
        row.name,
        f"{row.network_ms.p50:.2f}",
        f"{whole.p50:.2f}",
        f"{whole.interval[0]:.2f}-{whole.interval[1]:.2f}",
        f"{whole.p99:.2f}",
        "-" if row.throughput is None else f"{row.throughput.fps:.1f}",
        "-" if row.accuracy is None else f"{row.accuracy.miou:.1%}{row.accuracy.over}",
    ]


def _contract(result: BenchResult) -> dict[str, Any]:
    """The result, with the keys that scripts rely on in each row."""
    content = result.model_dump(mode="json")
    for row, told in zip(result.rows, content["rows"], strict=True):
        told["fps"] = None if row.throughput is None else row.throughput.fps
        told["miou"] = None if row.accuracy is None else row.accuracy.miou
        told["classes_present"] = None if row.accuracy is None else row.accuracy.classes_present
    return content
