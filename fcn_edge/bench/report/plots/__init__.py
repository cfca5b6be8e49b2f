"""Plots of a result, drawn by matplotlib: files for documents, and SVG for the page."""

from __future__ import annotations

from fcn_edge.bench.report.plots.catalog import Plot, plots_of, write_plots

__all__ = ["Plot", "plots_of", "write_plots"]
