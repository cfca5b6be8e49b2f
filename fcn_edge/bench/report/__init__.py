"""What a benchmark measured, for people: one self-contained page, Markdown, and plots. Needs the ``[bench]`` extra.

Only ``write_html`` and ``write_plots`` need it; Markdown is made without.
"""

from __future__ import annotations

from fcn_edge.bench.report.columns import COLUMNS, Column, columns_named, columns_of
from fcn_edge.bench.report.html import write_html
from fcn_edge.bench.report.markdown import markdown_of, markdown_table, write_markdown
from fcn_edge.bench.report.plots import write_plots

__all__ = [
    "COLUMNS",
    "Column",
    "columns_named",
    "columns_of",
    "markdown_of",
    "markdown_table",
    "write_html",
    "write_markdown",
    "write_plots",
]
