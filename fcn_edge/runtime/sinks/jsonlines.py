"""One JSON object per frame on standard output."""

from __future__ import annotations

import time

from typing_extensions import override

from fcn_edge.io.json_text import json_text
from fcn_edge.metrics.durations import NS_PER_MS
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink
from fcn_edge.runtime.sinks.standard_output import StandardOutput

__all__ = ["JsonLinesSink"]


class JsonLinesSink(Sink):
    """One line per frame, flushed at once, for readers that act on it.

    ``index`` is the frame's position in its source, ``name`` what files made from it are called, ``source`` the
    source's address without the password, ``time`` seconds in the source (null where it has no time stamps),
    ``captured_ns`` Unix time of the capture in nanoseconds, ``camera_time_ns`` the same by the camera's own clock (null
    where it does not tell), ``age_ms`` from the capture to this line, ``latency_ms``
    from the capture to the mask, and ``shares`` the share of the frame by class name, as fractions of 1.
    """

    def __init__(self) -> None:
        self._output = StandardOutput()

    def stop(self) -> None:
        """End a ``write`` that waits for a reader, from another thread."""
        self._output.stop()

    @override
    def write(self, result: Result) -> None:
        line = {
            "index": result.index,
            "name": result.frame.name,
            "source": result.source,
            "time": None if result.time is None else round(result.time, 6),
            "captured_ns": result.frame.captured_unix_ns,
            "camera_time_ns": result.frame.camera_time_ns,
            "age_ms": round((time.monotonic_ns() - result.frame.captured_ns) / NS_PER_MS, 3),
            "latency_ms": round(result.latency_ns / NS_PER_MS, 3),
            "shares": {name: round(share, 6) for name, share in result.shares().items()},
        }
        self._output.write(json_text(line) + "\n")
