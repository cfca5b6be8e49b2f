"""The page: one HTML file that loads nothing, follows light and dark, prints, and sorts its tables."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from fcn_edge.bench.printable import printable_result
from fcn_edge.bench.report import numbers
from fcn_edge.bench.report.columns import Column, columns_of
from fcn_edge.bench.report.facts import command_of, device_of, facts_of, method_of, started_of
from fcn_edge.bench.report.full_figures import full_columns
from fcn_edge.bench.report.labels import NO_SUITE, decoder_name, title_of, variant_name
from fcn_edge.bench.report.notes import Notes
from fcn_edge.bench.report.per_class import per_class_of
from fcn_edge.bench.report.plots import plots_of
from fcn_edge.bench.report.plots.palette import DARK, LIGHT, variables
from fcn_edge.bench.report.plots.pareto import front_of
from fcn_edge.bench.report.published import published_figures
from fcn_edge.bench.report.summary import DRIFTED, headline, summary_of
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.errors import needed_for
from fcn_edge.io.files import replacing

__all__ = ["write_html"]


def write_html(result: BenchResult, path: Path) -> None:
    """Write a result as one page, whole or not at all; the same result gives the same bytes.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    text = _page(result)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _page(result: BenchResult) -> str:
    with needed_for("The page of a benchmark"):
        import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": numbers.percent,
        "points": numbers.points,
        "decoder": decoder_name,
        "variant": variant_name,
    }
    return environment.get_template("page.html.j2").render(_values(printable_result(result))) + "\n"


def _values(result: BenchResult) -> dict[str, Any]:
    """What the template shows."""
    notes = Notes(result.rows)
    front = {row.name for row in front_of(result.rows)}
    timed = [*notes.masks, *notes.scores]
    return {
        "result": result,
        "title": title_of(result),
        "device": device_of(result),
        "started": started_of(result),
        "headline": headline(result),
        "summary": [_labeled(sentence) for sentence in summary_of(result)],
        "notes": notes,
        "front": front if len(front) > 1 else set(),
        "columns": columns_of(timed),
        "masks": _table(notes.masks),
        "scores": _table(notes.scores),
        "full": _table(timed, full_columns(timed)),
        "plots": plots_of(result),
        "classes": per_class_of(result.rows),
        "published": [list(group) for _, group in groupby(published_figures(), lambda one: one.project)],
        "facts": facts_of(result),
        "method": method_of(result),
        "command": command_of(result),
        "no_suite": NO_SUITE,
        "style": f":root {{ {variables(LIGHT)} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}\n{_file('page.css')}",
        "script": _file("page.js"),
    }


def _labeled(sentence: str) -> tuple[str, str, str]:
    """A sentence as its label, a separator and the rest; a warning has no label."""
    return (sentence, "", "") if sentence == DRIFTED else sentence.partition(": ")


def _table(rows: Sequence[Row], columns: Sequence[Column] | None = None) -> dict[str, Any]:
    return {"rows": rows, "columns": columns_of(rows) if columns is None else columns}


def _file(name: str) -> str:
    return (resources.files("fcn_edge.bench.report") / name).read_text(encoding="utf-8")
