"""Where long work keeps what it goes on from after a kill: outside of every work tree."""

from __future__ import annotations

import os
from pathlib import Path

from fcn_edge.errors import UsageError

__all__ = ["runs_directory"]


def runs_directory() -> Path:
    """Where runs are kept: ``$FCN_EDGE_RUNS``, or ``fcn_edge/runs`` of the user's cache.

    Raises:
        UsageError: The user has no home directory.
    """
    own = os.environ.get("FCN_EDGE_RUNS")
    if own:
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fcn_edge" / "runs"
    except RuntimeError as error:
        raise UsageError(
            "There is no home directory to keep the state of a run in.", "Set FCN_EDGE_RUNS to a directory."
        ) from error
