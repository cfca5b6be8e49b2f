"""SINK on the command line: where masks go."""

from __future__ import annotations

from fcn_edge.runtime.sinks.base import Overlays, Sink, SinkContext
from fcn_edge.runtime.sinks.registry import OPENERS, open_sink

__all__ = ["OPENERS", "Overlays", "Sink", "SinkContext", "open_sink"]
