"""The measuring process of ``fcn-edge bench``, with each step of a frame made slower by a tenth of its own time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from fcn_edge.backends.host_session import HostSession
from fcn_edge.bench.worker import main

__all__ = ["SLOWER"]

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


if __name__ == "__main__":
    for name in ("preprocess", "infer", "postprocess"):
        setattr(HostSession, name, slowed(getattr(HostSession, name)))
    sys.exit(main())
