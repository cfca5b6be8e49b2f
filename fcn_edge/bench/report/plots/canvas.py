"""A figure of matplotlib in pixels, in the page's colors, and what it is as SVG for the page and as files."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from fcn_edge.bench.report.plots.palette import LIGHT
from fcn_edge.errors import needed_for
from fcn_edge.io.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["NARROW", "WIDE", "canvas", "inline_svg", "save", "shortened", "text_width"]

WIDE, NARROW = 820, 350
"""Widths of plots in pixels: on a screen or a page, and on a phone."""

TEXT = 11.0
"""Size of the text in pixels."""

STYLE = {
    "axes.edgecolor": LIGHT["soft"],
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": LIGHT["soft"],
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 72,
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": TEXT,
    "legend.labelcolor": LIGHT["ink"],
    "svg.fonttype": "none",
    "svg.hashsalt": "fcn_edge",
    "text.color": LIGHT["ink"],
    "text.parse_math": False,
    "xtick.color": LIGHT["soft"],
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": LIGHT["ink"],
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}
"""Names of rows come from users, so that no text is taken for mathematics."""


@contextmanager
def canvas(
    width: float, height: float, left: float, bottom: float, right: float = 16, top: float = 30
) -> Iterator[tuple[Figure, Axes]]:
    """A figure and its axes in the page's style, which is in force within the block.

    Args:
        width: Of the figure, in pixels like all the others.
        height: Of the figure.
        left: Margin for the labels of rows.
        bottom: Margin for the labels of the lower axis.
        right: Margin.
        top: Margin, in which the legend stands.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with needed_for("Drawing plots"):
        import matplotlib as mpl
        from matplotlib.figure import Figure

    style: Any = STYLE
    with mpl.rc_context(style), warnings.catch_warnings():
        # a name in Chinese is text in the page's fonts, whatever matplotlib's own font has
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure = Figure((width / 72, height / 72))
        box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
        yield figure, figure.add_axes(box)


def shortened(text: str, most: int) -> str:
    """A text of so many characters at most: what is too long loses its middle."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[len(text) - most // 2 :]}"


def text_width(text: str, size: float) -> float:
    """How wide a line of text is in pixels, in the block of ``canvas``."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) if text.strip() else 0.0


def inline_svg(figure: Figure, name: str, description: str, titles: Mapping[str, str]) -> str:
    """A figure as an ``svg`` element for a page: its colors follow the page's variables, its text the page's font.

    Args:
        figure: What was drawn, in the block of ``canvas``.
        name: Unique in the page: all ids begin with it.
        description: What those hear who do not see it.
        titles: What the pointer shows over groups, by the group's id.
    """
    figure.patch.set_visible(False)
    text = _svg(figure)
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"(\bid=\"|url\(#|href=\"#)", rf"\g<1>{name}-", text)
    for role, color in LIGHT.items():
        text = text.replace(color, f"var(--{role})")
    for group, title in titles.items():
        opening = f'<g id="{name}-{group}">'
        text = text.replace(opening, f"{opening}<title>{escape(title)}</title>")
    (view,) = re.findall(r'viewBox="([^"]*)"', text)[:1]
    head = f'<svg class="{name.rpartition("-")[2]}" viewBox="{view}" role="img" aria-label={quoteattr(description)}'
    return re.sub(r"<svg[^>]*>", lambda _: f'{head} xmlns:xlink="http://www.w3.org/1999/xlink">', text, count=1).strip()


def save(figure: Figure, path: Path) -> None:
    """Write a figure on white as PNG, at twice its size, or as SVG, whole or not at all.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    figure.patch.set_facecolor(LIGHT["paper"])
    figure.patch.set_visible(True)
    with replacing(path) as temporary:
        if path.suffix == ".svg":
            temporary.write_text(_svg(figure), encoding="utf-8")
        else:
            figure.savefig(temporary, format="png", dpi=144, metadata={"Software": None})


def _svg(figure: Figure) -> str:
    """The figure as text, the same whenever it is drawn."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
