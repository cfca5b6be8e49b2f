"""Which plots a result has, what each shows in words, and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fcn_edge.bench.printable import printable_result
from fcn_edge.bench.report.confidence import confidence_of, interval_of
from fcn_edge.bench.report.labels import measured, short_names
from fcn_edge.bench.report.numbers import number, percent
from fcn_edge.bench.report.plots.canvas import inline_svg, save
from fcn_edge.bench.report.plots.pareto import LOGARITHMIC, draw_pareto, front_of, scored
from fcn_edge.bench.report.plots.rows import end_to_end, row_id
from fcn_edge.bench.report.plots.times import draw_energy, draw_latency, draw_stages, powered, spread, staged
from fcn_edge.bench.result import BenchResult, Row
from fcn_edge.errors import UsageError
from fcn_edge.io.folders import make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plot", "plots_of", "write_plots"]


@dataclass(frozen=True)
class Plot:
    """A plot of a result.

    Attributes:
        name: Its name in files and ids.
        title: What it shows.
        caption: How to read it, in sentences.
        gist: What it shows in numbers, for those who do not see it.
        rows: The rows that are drawn.
        draw: Draws rows for a screen, or for a phone.
    """

    name: str
    title: str
    caption: str
    gist: str
    rows: Sequence[Row]
    draw: Callable[[Sequence[Row], bool], AbstractContextManager[Figure]]

    def svg(self, narrow: bool) -> str:
        """The plot as an ``svg`` element of class ``wide`` or ``narrow`` for the page."""
        names = short_names(self.rows)
        titles = {row_id(place): _tooltip(row, names[row.name]) for place, row in enumerate(self.rows)}
        with self.draw(self.rows, narrow) as figure:
            return inline_svg(figure, f"{self.name}-{'narrow' if narrow else 'wide'}", self.gist, titles)


def plots_of(result: BenchResult) -> list[Plot]:
    """The plots for which a result has numbers."""
    plots = [_pareto(result.rows), _latency(result.rows), _stages(result.rows), _energy(result.rows)]
    return [plot for plot in plots if plot.rows]


def write_plots(result: BenchResult, directory: Path) -> list[Path]:
    """Write each plot of a result as PNG and SVG, on white; each file whole or not at all.

    Args:
        result: What was measured.
        directory: Where the files go, such as ``accuracy-latency.png``; it is made if need be.

    Returns:
        The files.

    Raises:
        MissingExtraError: matplotlib is not installed.
        UsageError: The directory may not be written.
        MachineError: The disk is full.
    """
    try:
        make_folder(directory)
    except OSError as error:
        raise UsageError(
            f"{directory} could not be made: {error.strerror}.", "Name a directory that is yours."
        ) from error
    paths = []
    for plot in plots_of(printable_result(result)):
        with plot.draw(plot.rows, False) as figure:
            for suffix in (".png", ".svg"):
                paths.append(directory / f"{plot.name}{suffix}")
                save(figure, paths[-1])
    return paths


def _pareto(rows: Sequence[Row]) -> Plot:
    chosen = scored(rows)
    others = len(measured(rows)) - len(chosen)
    front = front_of(rows)
    confidence = confidence_of(chosen)
    intervals = f"Lines at the marks are {confidence} intervals of the medians; larger" if confidence else "Larger"
    caption = f"Better is up and to the left. {intervals} marks are larger inputs."
    if len(front) > 1:
        caption += " The dashed line joins the rows of this run that no other of them beats in both."
    caption += " The axis of mIoU does not begin at 0."
    times = [end_to_end(row) for row in chosen]
    if times and max(times) > LOGARITHMIC * min(times):
        caption += " The axis of time is logarithmic."
    if others:
        caption += (
            f" {others} {'row has' if others == 1 else 'rows have'} no accuracy on the same images and are not shown."
        )
    names = short_names([row for row in chosen if row.state == "measured"]) if front else {}
    points = [
        f"{names[row.name]} {number(end_to_end(row))} ms at {percent(row.accuracy.miou)}%"
        for row in front
        if row.accuracy
    ]
    gist = f"{len(chosen)} rows by end-to-end time and mIoU. On the front: {'; '.join(points) or 'none'}."
    return Plot("accuracy-latency", "Accuracy against latency", caption, gist, chosen, draw_pareto)


def _latency(rows: Sequence[Row]) -> Plot:
    chosen = spread(rows)
    caption = (
        "All frames of all rounds, from the frame in memory to its mask, against the median of their row, which stands "
        "beside its name. The thick bar is the middle half of the frames, the thin line reaches from 1% to 99%, the "
        "tick is the slowest frame, an arrow one that lies beyond the plot." + _star(chosen)
    )
    return Plot(
        "latency", "How steady the times are", caption, f"End-to-end times: {_ends(chosen)}", chosen, draw_latency
    )


def _stages(rows: Sequence[Row]) -> Plot:
    chosen = staged(rows)
    caption = (
        "Preprocess resizes the frame to the network, infer is the network, decode makes the mask in the frame's own "
        "pixels. The number is the end-to-end p50, to which the stages' medians need not add up exactly. The axis "
        "begins at 0." + _star(chosen)
    )
    parts = [
        f"{name} takes {number(100 * sum(row.stages_ms.get(name, 0.0) for row in chosen) / total)}%"
        for name in ("preprocess", "infer", "decode")
        if (total := sum(sum(row.stages_ms.values()) for row in chosen))
    ]
    return Plot("stages", "Where the time goes", caption, f"Over all rows, {', '.join(parts)}.", chosen, draw_stages)


def _energy(rows: Sequence[Row]) -> Plot:
    chosen = powered(rows)
    sources = "; ".join(dict.fromkeys(row.power.source for row in chosen if row.power and row.power.source))
    joules = [row.power.joules_per_frame or 0.0 for row in chosen if row.power]
    gist = f"Energy for a frame from {number(min(joules))} to {number(max(joules))} J." if joules else ""
    caption = "Energy for one frame; beside it the mean power." + (f" Measured by: {sources}." if sources else "")
    return Plot("energy", "Energy", caption, gist, chosen, draw_energy)


def _star(rows: Sequence[Row]) -> str:
    return " Rows with * are not steady." if any(row.unstable for row in rows) else ""


def _ends(rows: Sequence[Row]) -> str:
    """The fastest and the slowest of rows that are in order."""
    if not rows:
        return ""
    names = short_names(rows)
    first, last = (f"{names[row.name]} {number(end_to_end(row))} ms" for row in (rows[0], rows[-1]))
    return f"from {first} to {last} at the median."


def _tooltip(row: Row, name: str) -> str:
    assert row.end_to_end_ms is not None
    times = row.end_to_end_ms
    interval = f" ({interval_of(times)})" if interval_of(times) else ""
    text = f"{name}: {number(times.p50)} ms{interval}"
    return f"{text}, {percent(row.accuracy.miou)}% mIoU" if row.accuracy else text
