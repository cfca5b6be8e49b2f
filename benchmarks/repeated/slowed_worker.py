"""The measuring process of ``fcn-edge bench``, with each step of a frame made slower by a tenth of its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fcn_edge.backends.host_session import HostSession
from fcn_edge.bench import worker

__all__ = ["SLOWER", "main"]

SLOWER = 0.1


def slowed(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step of a frame that takes a tenth longer, as work and not as sleep."""

    def slow(*arguments: Any) -> Any:
        started = time.perf_counter_ns()
        result = step(*arguments)
        until = started + (1 + SLOWER) * (time.perf_counter_ns() - started)
        while time.perf_counter_ns() < until:
            pass
        return result

    return slow


def main() -> int:
    """Measure what standard input asks for, slowed; returns the exit code."""
    for name in ("preprocess", "infer", "postprocess"):
        setattr(HostSession, name, slowed(getattr(HostSession, name)))
    return worker.main()
