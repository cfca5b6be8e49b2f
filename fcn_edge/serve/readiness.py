"""Is a run doing what it is there for: ``/readyz``."""

from __future__ import annotations

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.serve.source_record import SourceView
from fcn_edge.serve.state import RunState
from fcn_edge.text import listed

__all__ = ["READY_NS", "ready"]

READY_NS = 10 * NS_PER_S
"""So long ago the newest frame of a source may have been captured."""


def ready(state: RunState) -> tuple[bool, str]:
    """Whether a frame of every source came in the last 10 s, and a sentence.

    Sources that are paused do not count, and neither do those that came to their end; one that was lost for good does,
    until it is removed.
    """
    if state.ended:
        return False, "The run has ended."
    wanted = [view for view in state.views() if not view.status.paused and view.status.state != "ended"]
    missing = [view for view in wanted if view.age_ns is None or view.age_ns > READY_NS]
    if missing:
        return False, f"No frame in the last {READY_NS // NS_PER_S} s: {listed([*map(_named, missing)])}."
    if not wanted:
        return True, "There is no source that a frame should come from."
    return True, f"Frames come from {listed([view.status.label for view in wanted])}."


def _named(view: SourceView) -> str:
    return f"{view.status.label} ({view.status.state})"
