"""What of a network the deep-learning accelerator (DLA) of an Orin could take, by TensorRT's documented rules."""

from __future__ import annotations

from fcn_edge.backends.tensorrt.dla.report import DlaReport, dla_report

__all__ = ["DlaReport", "dla_report"]
