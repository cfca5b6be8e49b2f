"""Markdown of a result, and tables of any rows for pages that show several results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fcn_edge.bench.printable import printable_result
from fcn_edge.bench.report.columns import Column, columns_of
from fcn_edge.bench.report.confidence import confidence_of
from fcn_edge.bench.report.facts import device_of, facts_of, method_of, started_of
from fcn_edge.bench.report.labels import decoder_name, title_of
from fcn_edge.bench.report.notes import Notes
from fcn_edge.bench.report.numbers import ABSENT, percent, points
from fcn_edge.bench.report.per_class import per_class_of
from fcn_edge.bench.report.published import published_figures
from fcn_edge.bench.report.summary import headline, summary_of
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.io.files import replacing
from fcn_edge.text import printable

__all__ = ["markdown_of", "markdown_table", "table_of_cells", "write_markdown"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$])")


def write_markdown(result: BenchResult, path: Path) -> None:
    """Write a result as Markdown, whole or not at all.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_text(markdown_of(result), encoding="utf-8")


def markdown_of(result: BenchResult) -> str:
    """A result as Markdown of GitHub's flavor: summary, tables, notes, machine and method. Ends with a line break."""
    result = printable_result(result)
    notes = Notes(result.rows)
    parts = [f"# {_text(title_of(result))}", _text(f"On {device_of(result)}. {headline(result)}")]
    parts.append(_text(started_of(result)))
    if result.unstable:
        parts.append(f"> **Not steady:** {_text(result.unstable)}")
    parts.append("\n".join(f"- {_text(sentence)}" for sentence in summary_of(result)))
    for title, rows in (("Frame to mask", notes.masks), ("Frame to class scores, no mask", notes.scores)):
        if rows:
            parts += [f"## {title}", *_lead(notes, rows), markdown_table(rows, marks=notes.marks)]
    if notes.scores:
        parts.append(_text(notes.on_scores))
    if notes.sentences:
        parts.append("\n".join(f"{mark}. {_text(sentence)}" for mark, sentence in notes.sentences))
    if notes.missing:
        cells = [[row.name, row.state, f"{row.problem} {row.fix}".strip()] for row in notes.missing]
        parts += ["## Not measured", table_of_cells(("Row", "State", "Why"), cells)]
    if classes := per_class_of(result.rows):
        heads = ["Class", *(f"{decoder_name(name)} (%)" for name in classes.decoders)]
        cells = [[name, *(percent(share) for share in shares)] for name, shares in classes.shares]
        if classes.gains:
            heads.append("Gain (points)")
            for line, gain in zip(cells, classes.gains, strict=True):
                line.append(ABSENT if gain is None else points(gain))
        parts += ["## Per class", _text(classes.caption), table_of_cells(heads, cells, words=1)]
    columns = columns_of([*notes.masks, *notes.scores])
    parts += ["## What the figures include", "\n".join(f"- **{one.title}**: {one.says}" for one in columns)]
    parts += ["## Machine", table_of_cells(("What", "Is"), [[fact.name, fact.text] for fact in facts_of(result)])]
    parts += ["## Method", *(_text(sentence) for sentence in method_of(result))]
    parts += [
        "## Figures that others publish",
        "Not measured here, on other devices and of other networks: what each includes differs, so that they do not "
        "compare with the tables above.",
        table_of_cells(
            ("Project", "Network", "Device", "Published", "Accuracy", "Includes", "Source"),
            [
                [
                    one.project,
                    one.network,
                    one.device,
                    one.figure,
                    one.accuracy or ABSENT,
                    one.includes,
                    f"{one.source} (read {one.read})",
                ]
                for one in published_figures()
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def markdown_table(
    rows: Sequence[Row], columns: Sequence[Column] | None = None, marks: dict[str, str] | None = None
) -> str:
    """Rows of one result or of several as a table of GitHub's Markdown, without a line break at its end.

    Args:
        rows: The rows, in the table's order.
        columns: ``COLUMNS``, or some of them; those with a value in any row when left out.
        marks: What stands behind the model, such as ``not steady, note 1``, by the row's name.
    """
    columns = columns_of(rows) if columns is None else columns
    cells = []
    for row in rows:
        line = [
            " ".join(filter(None, (one.text(row), f"({one.detail(row)})" if one.detail(row) else "")))
            for one in columns
        ]
        if marks and marks.get(row.name):
            line[0] = f"{line[0]} ({marks[row.name]})"
        cells.append(line)
    return table_of_cells([one.title for one in columns], cells, sum(not one.numeric for one in columns))


def table_of_cells(header: Sequence[str], rows: Sequence[Sequence[str]], words: int | None = None) -> str:
    """A Markdown table; what Markdown would take for its own is escaped.

    Args:
        header: Name of each column.
        rows: As many cells each.
        words: How many columns at the left hold words; the others, which hold numbers, stand to the right. All when
            left out.
    """
    words = len(header) if words is None else words
    ends = [":---" if index < words else "---:" for index in range(len(header))]
    text = [f"| {' | '.join(_text(cell) for cell in header)} |", f"| {' | '.join(ends)} |"]
    text += [f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows]
    return "\n".join(text)


def _lead(notes: Notes, rows: Sequence[Row]) -> list[str]:
    """What stands above a table of rows: the confidence of their intervals, and the images of their mIoU."""
    confidence = confidence_of(rows)
    sentences = [f"In parentheses behind the end-to-end p50 is its {confidence} interval." if confidence else ""]
    sentences.append(notes.on_images if any(row.accuracy for row in rows) else "")
    text = _text(" ".join(filter(None, sentences)))
    return [text] if text else []


def _text(words: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(printable(words).split()))
