"""What frames took, row by row: how their times are spread, what the stages take, and what energy a frame needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fcn_edge.bench.report.labels import measured
from fcn_edge.bench.report.numbers import number, points
from fcn_edge.bench.report.plots.palette import LIGHT, decoder_role
from fcn_edge.bench.report.plots.rows import end_to_end, row_axes, row_id
from fcn_edge.bench.result import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_energy", "draw_latency", "draw_stages", "powered", "spread", "staged"]

STAGES = ("preprocess", "infer", "decode")


def spread(rows: Sequence[Row]) -> list[Row]:
    """Rows from frame to mask, the fastest first."""
    return sorted(measured(rows), key=end_to_end)


def staged(rows: Sequence[Row]) -> list[Row]:
    """Those of them whose stages were timed."""
    return [row for row in spread(rows) if row.stages_ms]


def powered(rows: Sequence[Row]) -> list[Row]:
    """Those of them whose energy was measured."""
    return [row for row in spread(rows) if row.power and row.power.joules_per_frame]


@contextmanager
def draw_latency(rows: Sequence[Row], narrow: bool) -> Iterator[Figure]:
    """Each row's frames against its median: a thin line from 1% to 99%, a thick one for the middle half."""
    chosen = spread(rows)
    with row_axes(chosen, narrow, "Time of a frame against the row's median, %", times=True) as (figure, axes):
        values = [_against_median(row) for row in chosen]
        low, high = min(one[1] for one in values), max(one[99] for one in values)
        room = max(0.12 * (high - low), 0.5)
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_formatter(lambda value, _: points(value / 100).removesuffix(".0"))
        for place, (row, shares) in enumerate(zip(chosen, values, strict=True)):
            color, at = LIGHT[decoder_role(row.decoder)], place + (0.2 if narrow else 0)
            axes.hlines(at, shares[1], shares[99], color=color, linewidth=1.6)
            axes.hlines(at, shares[25], shares[75], color=color, linewidth=9, gid=row_id(place))
            axes.vlines(0, at - 0.24, at + 0.24, color=LIGHT["paper"], linewidth=2, zorder=3)
            beyond = shares[100] > high + room
            axes.plot(
                high + 0.7 * room if beyond else shares[100], at,
                marker=">" if beyond else "|", markersize=5 if beyond else 8, color=color,
            )  # fmt: skip
        yield figure


@contextmanager
def draw_stages(rows: Sequence[Row], narrow: bool) -> Iterator[Figure]:
    """Each row's median stages, one after the other."""
    chosen = staged(rows)
    with row_axes(chosen, narrow, "Median of each stage, ms per frame", legend=True) as (figure, axes):
        names = [*STAGES, *dict.fromkeys(name for row in chosen for name in row.stages_ms if name not in STAGES)]
        begun = [0.0] * len(chosen)
        heights = [place + (0.2 if narrow else 0) for place in range(len(chosen))]
        for name in names:
            times = [row.stages_ms.get(name, 0.0) for row in chosen]
            color = LIGHT.get(name, LIGHT["other"])
            axes.barh(heights, times, 0.42 if narrow else 0.6, begun, color=color, label=name)
            begun = [before + more for before, more in zip(begun, times, strict=True)]
        for at, row, whole in zip(heights, chosen, begun, strict=True):
            _beside(axes, whole, at, number(end_to_end(row)))
        axes.set_xlim(0, 1.1 * max(begun))
        _legend(axes, len(names))
        yield figure


@contextmanager
def draw_energy(rows: Sequence[Row], narrow: bool) -> Iterator[Figure]:
    """Each row's energy for a frame, with the mean power behind it."""
    chosen = powered(rows)
    with row_axes(chosen, narrow, "Energy, J per frame") as (figure, axes):
        joules = [row.power.joules_per_frame or 0.0 for row in chosen if row.power]
        for place, (row, value) in enumerate(zip(chosen, joules, strict=True)):
            at = place + (0.2 if narrow else 0)
            axes.barh(at, value, 0.42 if narrow else 0.6, color=LIGHT[decoder_role(row.decoder)], gid=row_id(place))
            if row.power and row.power.watts:
                _beside(axes, value, at, f"{number(row.power.watts)} W")
        axes.set_xlim(0, 1.15 * max(joules))
        yield figure


def _beside(axes: Axes, value: float, at: float, text: str) -> None:
    """A number to the right of a bar."""
    axes.annotate(text, (value, at), (5, 0), textcoords="offset points", va="center", color=LIGHT["soft"])


def _against_median(row: Row) -> list[float]:
    """By how many percent each percentile of a row's frames differs from their median."""
    assert row.end_to_end_ms is not None
    values = row.end_to_end_ms.percentiles
    return [100 * (value / values[50] - 1) for value in values]


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.4, handlelength=0.8,
        handleheight=0.8, handletextpad=0.5, columnspacing=1.4, borderpad=0,
    )  # fmt: skip
