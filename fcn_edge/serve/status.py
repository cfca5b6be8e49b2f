"""The state of a run as JSON: ``/status.json``, and what the page is sent twice a second."""

from __future__ import annotations

from typing import Any

from fcn_edge.metrics.durations import NS_PER_MS
from fcn_edge.serve.source_record import STAGES, SourceView
from fcn_edge.serve.state import RunState
from fcn_edge.serve.window import percentiles_ms
from fcn_edge.text import printable
from fcn_edge.version import __version__

__all__ = ["status"]


def status(state: RunState, history: bool = False) -> dict[str, Any]:
    """The JSON object of a run.

    Args:
        state: The run.
        history: With a row for each of the last 120 seconds of each source.
    """
    spec = state.model.spec
    now_ns = state.now_ns
    return {
        "version": __version__,
        "model": {
            "name": printable(spec.name),
            "encoder": printable(spec.encoder),
            "decoder": printable(spec.decoder),
            "size": list(state.model.size),
            "backend": state.model.backend,
            "precision": spec.precision,
        },
        "classes": [
            {"id": index, "name": printable(name), "color": f"#{bytes(color).hex()}"}
            for index, (name, color) in enumerate(zip(spec.classes, spec.palette, strict=True))
        ],
        "void": spec.void,
        "now_unix_ms": state.now_unix_ns // NS_PER_MS,
        "started_unix_ms": state.started_unix_ns // NS_PER_MS,
        "ended": state.ended,
        "viewers": state.viewers,
        "control": state.control,
        "sources": [_source(view, now_ns, history) for view in state.views()],
        "outputs": [{"sink": printable(sink), "error": error} for sink, error in state.outputs().items()],
    }


def _source(view: SourceView, now_ns: int, history: bool) -> dict[str, Any]:
    told = view.status
    stages = {stage: view.recent_ns[:, 1 + column] for column, stage in enumerate(STAGES)}
    found = {
        "id": told.label,
        "number": told.number,
        "uri": printable(told.id),
        "state": told.state,
        "grade": told.grade,
        "message": printable(view.message),
        "since_unix_ms": view.since_unix_ns // NS_PER_MS,
        "paused": told.paused,
        "size": None if view.size is None else list(view.size),
        "fps": round(view.fps, 1),
        "frames": view.frames,
        "dropped": told.dropped,
        "late": told.late,
        "reconnects": told.reconnects,
        "age_ms": None if view.age_ns is None else round(view.age_ns / NS_PER_MS, 1),
        "latency_ms": percentiles_ms(view.recent_ns[:, 0], (50, 90, 99)),
        "stages_ms": {stage: percentiles_ms(durations, (50, 99)) for stage, durations in stages.items()},
        "shares": {printable(name): round(share, 4) for name, share in view.shares.fractions(now_ns).items()},
    }
    return found | ({"history": [list(row) for row in view.history]} if history else {})
