"""A build's progress, out of the builder's nested phases."""

from __future__ import annotations

import time
from typing import Any

from fcn_edge.backends.base import Progress

__all__ = ["monitor_of"]

_INTERVAL = 0.1
"""Least seconds between two reports: a build takes thousands of steps."""


def monitor_of(trt: Any, progress: Progress) -> Any:
    """What a builder's configuration takes as ``progress_monitor``.

    Args:
        trt: The library.
        progress: Told the innermost phase and its steps.
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}
            self._told = -_INTERVAL

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            self._steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return True  # False would cancel the build

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def _tell(self, phase: str, done: int) -> None:
            now = time.monotonic()
            if now - self._told >= _INTERVAL:
                self._told = now
                progress(phase, done, max(done, self._steps.get(phase, 0)))

    return Monitor()
