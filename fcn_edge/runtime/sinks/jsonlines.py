"""One JSON object per frame on standard output."""

from __future__ import annotations

import json
import sys

from typing_extensions import override

from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink

__all__ = ["JsonLinesSink"]


class JsonLinesSink(Sink):
    """One line per frame: ``index``, ``name``, ``latency_ms`` and ``shares`` of the classes (fractions of 1).

    Each line is flushed, for readers that act on it at once.
    """

    @override
    def write(self, result: Result) -> None:
        line = {
            "index": result.frame.index,
            "name": result.frame.name,
            "latency_ms": round(result.latency_ns / 1e6, 3),
            "shares": {name: round(share, 6) for name, share in result.segmentation.shares().items()},
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
