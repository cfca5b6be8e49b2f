"""Axes with a line for each row: its name, and times or energy to the right from 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fcn_edge.bench.report.labels import short_names
from fcn_edge.bench.report.numbers import number
from fcn_edge.bench.report.plots.canvas import NARROW, TEXT, WIDE, canvas, shortened
from fcn_edge.bench.report.plots.palette import LIGHT
from fcn_edge.bench.result import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["end_to_end", "row_axes", "row_id"]


MOST = 55
"""Characters of a row's name and time, which fit on a phone."""

CHARACTER = 0.62
"""Width of a character as a share of the text's size, on average and a little more."""


@contextmanager
def row_axes(
    rows: Sequence[Row], narrow: bool, label: str, legend: bool = False, times: bool = False
) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one line for each row, the first at the top, at 0, 1, 2, ..., and a line at 0.

    Args:
        rows: The rows.
        narrow: For a phone: names stand above what is drawn, not beside it.
        label: What the lower axis shows.
        legend: Leave room for one at the top.
        times: Names tell the rows' median times, too.
    """
    short = short_names(rows)
    ends = [f"  {number(end_to_end(row))} ms" if times else "" for row in rows]
    ends = [f"{end} *" if row.unstable else end for row, end in zip(rows, ends, strict=True)]
    names = [f"{shortened(short[row.name], MOST - len(end))}{end}" for row, end in zip(rows, ends, strict=True)]
    width, step = (NARROW, 36) if narrow else (WIDE, 24)
    left = 8 if narrow else CHARACTER * TEXT * max(len(name) for name in names) + 14
    top = 34.0 if legend else 10.0
    with canvas(width, step * len(rows) + 46 + top, left, 46, right=24, top=top) as (figure, axes):
        axes.set_ylim(len(rows) - 0.5 + (0.1 if narrow else 0.0), -0.5 - (0.25 if narrow else 0.0))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(label)
        axes.axvline(0, color=LIGHT["soft"], linewidth=1)
        if narrow:
            axes.set_yticks([])
            paper = {"facecolor": LIGHT["paper"], "edgecolor": "none", "pad": 1}
            for place, name in enumerate(names):
                axes.text(
                    0,
                    place - 0.3,
                    name,
                    va="center",
                    fontsize=TEXT - 1,
                    transform=axes.get_yaxis_transform(),
                    bbox=paper,
                )
        else:
            axes.set_yticks(range(len(names)), names)
        yield figure, axes


def row_id(place: int) -> str:
    """The group of what is drawn for a row."""
    return f"row{place}"


def end_to_end(row: Row) -> float:
    """A measured row's median time of a frame in milliseconds, by which rows are ordered."""
    assert row.end_to_end_ms is not None
    return row.end_to_end_ms.p50
