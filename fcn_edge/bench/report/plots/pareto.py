"""Accuracy against latency, and the front of rows that none beats in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fcn_edge.bench.pareto import pareto
from fcn_edge.bench.report.labels import data_of, decoder_name, measured, precision_name, short_names
from fcn_edge.bench.report.plots.canvas import NARROW, TEXT, WIDE, canvas, shortened, text_width
from fcn_edge.bench.report.plots.palette import LIGHT, decoder_role
from fcn_edge.bench.report.plots.rows import end_to_end, row_id
from fcn_edge.bench.result import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_pareto", "front_of", "scored"]

MARKERS = {"fp32": "o", "fp16": "s", "int8": "D"}
Box = tuple[float, float, float, float]
"""Left, lower, right and upper end, in pixels."""

LOGARITHMIC = 8
"""Where the slowest row takes so many times as long as the fastest, the axis is logarithmic."""


def scored(rows: Sequence[Row]) -> list[Row]:
    """Rows with times to a mask and an accuracy on the images that most rows were scored on; others do not compare."""
    found = [row for row in measured(rows) if row.accuracy]
    images = Counter(data_of(row) for row in found)
    return [row for row in found if data_of(row) == images.most_common(1)[0][0]]


def front_of(rows: Sequence[Row]) -> list[Row]:
    """The rows of this run that no other of them beats in both accuracy and time, the fastest first.

    Rows that are not steady count, as in ``choose``: a front without the best row would mislead more than one whose row
    is known a little less well, and its mark says so.
    """
    return list(pareto(row for row in scored(rows) if row.state == "measured"))


@contextmanager
def draw_pareto(rows: Sequence[Row], narrow: bool) -> Iterator[Figure]:
    """Each row a mark: color is the decoder, shape the precision, a larger mark a larger input."""
    points = scored(rows)
    width, height = (NARROW, 400) if narrow else (WIDE, 440)
    with canvas(width, height, 50, 46, right=20, top=64 if narrow else 40) as (figure, axes):
        _scales(axes, points)
        _front(axes, points, narrow)
        largest = max(row.size[0] * row.size[1] for row in points)
        for place, row in enumerate(points):
            _mark(axes, row, place, largest)
        axes.set_xlabel("End to end p50, ms per frame")
        axes.set_ylabel("mIoU, %")
        axes.tick_params(axis="y", colors=LIGHT["soft"])
        _legend(axes, points, 3 if narrow else 9)
        yield figure


def _mark(axes: Axes, row: Row, place: int, largest: int) -> None:
    assert row.end_to_end_ms is not None
    color = LIGHT[decoder_role(row.decoder)]
    at, (low, high) = end_to_end(row), row.end_to_end_ms.interval
    ordinary = row.state == "measured" and not row.unstable
    across = 5.5 + 4.5 * (row.size[0] * row.size[1] / largest)
    axes.hlines(100 * _miou(row), low, high, color=color, linewidth=1.6, zorder=3)
    axes.plot(
        at,
        100 * _miou(row),
        marker=MARKERS[row.precision],
        markersize=across * (0.85 if row.precision == "int8" else 1),
        markerfacecolor=color if ordinary else LIGHT["paper"],
        markeredgecolor=color,
        markeredgewidth=1.6,
        linestyle="none",
        gid=row_id(place),
        zorder=4,
    )


def _scales(axes: Axes, points: Sequence[Row]) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    times = [
        value for row in points if row.end_to_end_ms for value in (*row.end_to_end_ms.interval, row.end_to_end_ms.p50)
    ]
    values = [100 * _miou(row) for row in points]
    room = max(0.5, 0.14 * (max(values) - min(values)))
    axes.set_ylim(min(values) - room, max(values) + 1.4 * room)
    if max(times) > LOGARITHMIC * min(times):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(0.7 * min(times), 1.4 * max(times))
    else:
        axes.set_xlim(0, 1.1 * max(times))


def _front(axes: Axes, points: Sequence[Row], narrow: bool) -> None:
    front = front_of(points)
    if not front:
        return
    times, values = [end_to_end(row) for row in front], [100 * _miou(row) for row in front]
    if len(front) > 1:
        axes.plot(
            [*times, axes.get_xlim()[1]], [*values, values[-1]],
            drawstyle="steps-post", color=LIGHT["soft"], linewidth=1.2, linestyle=(0, (4, 3)), zorder=2,
        )  # fmt: skip
    names = _names(points, front, narrow)
    marks = [axes.transData.transform((end_to_end(row), 100 * _miou(row))) for row in points]
    size = TEXT - narrow
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    for row, at, value in zip(front, times, values, strict=True):
        horizontal, vertical = _free_corner(axes, (at, value), text_width(names[row.name], size), taken)
        axes.annotate(
            names[row.name], (at, value), (8 * horizontal, 7 * vertical), textcoords="offset points",
            fontsize=size, ha="left" if horizontal > 0 else "right", va=("center", "bottom", "top")[vertical], zorder=5,
        )  # fmt: skip


def _names(points: Sequence[Row], front: Sequence[Row], narrow: bool) -> dict[str, str]:
    """What the marks on the front are called; on a phone there is room for decoder and precision alone."""
    if narrow:
        names = {row.name: f"{decoder_name(row.decoder) or row.model} {precision_name(row.precision)}" for row in front}
    else:
        names = short_names([row for row in points if row.state == "measured"])
    return {name: shortened(text, 24 if narrow else 48) for name, text in names.items()}


def _free_corner(axes: Axes, point: tuple[float, float], width: float, taken: list[Box]) -> tuple[int, int]:
    """Where a name fits beside its mark: -1 or 1 for left or right of it, and -1, 0 or 1 for below, beside or above.

    Above the front and to its left is nothing but what has a note, by its meaning, so that this is tried first.

    Args:
        axes: Where it is drawn, with its scales set.
        point: The mark's position in the data.
        width: Of the name, in pixels.
        taken: What must not be covered; the name's own box is added.
    """
    x, y = axes.transData.transform(point)
    frame = axes.bbox
    tried: list[tuple[float, tuple[int, int], Box]] = []
    for corner in ((-1, 1), (1, -1), (1, 0), (1, 1), (-1, -1)):
        left = x + 8 if corner[0] > 0 else x - 8 - width
        low = y + 7 * corner[1] - TEXT * (1 - corner[1]) / 2
        box = (left, low, left + width, low + TEXT)
        covered = sum(_overlap(box, one) for one in taken)
        outside = box[0] < frame.x0 - 2 or box[2] > frame.x1 or box[1] < frame.y0 or box[3] > frame.y1
        tried.append((covered + (width * TEXT if outside else 0), corner, box))
    _, corner, box = min(tried, key=lambda one: one[0])
    taken.append(box)
    return corner


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _legend(axes: Axes, points: Sequence[Row], columns: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    gray: dict[str, Any] = {"color": LIGHT["soft"], "linestyle": "none"}
    handles: list[Line2D | Patch] = [
        Patch(color=LIGHT[decoder_role(decoder)], label=decoder_name(decoder))
        for decoder in sorted({row.decoder for row in points}, key=lambda name: (len(name), name), reverse=True)
        if decoder
    ]
    handles += [
        Line2D([], [], **gray, marker=MARKERS[name], label=precision_name(name))
        for name in MARKERS
        if any(row.precision == name for row in points)
    ]
    if any(row.unstable or row.state == "recorded" for row in points):
        handles.append(Line2D([], [], **gray, marker="o", markerfacecolor=LIGHT["paper"], label="with a note"))
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.4,
        handlelength=0.9, handleheight=0.9, handletextpad=0.5, columnspacing=1.4, borderpad=0,
    )  # fmt: skip


def _miou(row: Row) -> float:
    return row.accuracy.miou if row.accuracy else 0.0
