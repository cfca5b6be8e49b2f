"""Results and suites of benchmarks: what ``compare``, ``choose`` and the reports make of them."""

from __future__ import annotations

from pathlib import Path

from fcn_edge.io.documents import document_text

from ...bench_results import bench_result, bench_row
from ...tiny_network import write_tiny_network
from ..damages import TEXT
from ..parser import Parser
from ..structures import toml_bytes, toml_of
from .commands import shown_by
from .documents import SEALED

__all__ = ["PARSERS"]

SUITE = {
    "title": "mine",
    "rounds": 5,
    "most_rounds": 9,
    "width": 0.1,
    "source": "synthetic://street?seed=1&size=64x96&frames=2",
    "data": "",
    "patience": 0.5,
    "recorded": ["earlier.json"],
    "rows": [
        {"models": ["camvid-mobilenet_v2-fcn8s"], "precisions": ["fp32", "int8"], "sizes": ["480x640"]},
        {"models": ["wholes/bench.suite/a.onnx"], "backends": ["onnxruntime"], "ends": "scores", "threads": 2},
    ],
}


def written(folder: Path) -> list[bytes]:
    """A result of few rows, and one to compare with beside it."""
    rows = [bench_row(decoder, milliseconds=20.0 * (place + 1)) for place, decoder in enumerate(("fcn32s", "fcn8s"))]
    content = document_text(bench_result(*rows).model_dump(mode="json")).encode()
    (folder / "before.json").write_bytes(content)
    return [content]


def chosen(path: Path, _: Path) -> object:
    shown_by("choose", path)
    return shown_by("choose", path, "--fps", "1", "--max-drop", "0.5", "--max-memory", "1e9")


def compared(path: Path, beside: Path) -> object:
    shown_by("compare", path, beside / "before.json", "--across-machines")
    return shown_by("compare", beside / "before.json", path)


def reported(path: Path, _: Path) -> object:
    from fcn_edge.bench.recorded import recorded_rows, timed_rows
    from fcn_edge.bench.report.markdown import markdown_of
    from fcn_edge.bench.result import read_result

    recorded_rows(timed_rows([path]), [])
    return markdown_of(read_result(path))


def suites(folder: Path) -> list[bytes]:
    write_tiny_network(folder / "a.onnx")
    return [toml_bytes(SUITE)]


def suite(path: Path, _: Path) -> object:
    from fcn_edge.bench.plan import planned_rows
    from fcn_edge.bench.suite import read_suite

    _, read = read_suite(path)
    return planned_rows(read)


SUITES = (*(toml_of([SUITE]),) * 6, *TEXT)
PARSERS = (
    Parser("bench.choose", "result.json", written, chosen, SEALED, 1.5),
    Parser("bench.compare", "result.json", written, compared, SEALED, 1.5),
    Parser("bench.report", "result.json", written, reported, SEALED, 1),
    Parser("bench.suite", "mine.toml", suites, suite, SUITES, 1.5, ("onnx",)),
)
