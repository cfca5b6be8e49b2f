"""What the page remembers of one source, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sliding import SlidingCount
from fcn_edge.runtime.source_status import SourceStatus
from fcn_edge.serve.buckets import Buckets
from fcn_edge.serve.history import History, Row
from fcn_edge.serve.shares import Shares
from fcn_edge.serve.window import Window

__all__ = ["STAGES", "SourceRecord", "SourceView"]

STAGES = ("capture", "preprocess", "infer", "decode", "output")
WINDOW_NS = 10 * NS_PER_S
RATE_NS = 5 * NS_PER_S


@dataclass(frozen=True, eq=False)
class SourceView:
    """A source as it was at one moment.

    Attributes:
        status: What it did. Counters never go back.
        message: What happened last, in a sentence; empty where the state says it all.
        since_unix_ns: Nanoseconds of Unix time since when it has its state.
        size: ``(height, width)`` of its newest mask, else of its first frame; None when unknown.
        fps: Masks a second, over the last seconds.
        frames: Masks that were made.
        age_ns: Nanoseconds since the capture of the newest mask; None before the first.
        recent_ns: ``(n, 6)`` int64 nanoseconds of the last 10 s: capture to mask, then the stages.
        shares: Shares of the newest mask.
        history: A row for each of the last seconds.
        latency: Capture to mask over the whole run.
        stages: Time by stage over the whole run.
    """

    status: SourceStatus
    message: str
    since_unix_ns: int
    size: Size | None
    fps: float
    frames: int
    age_ns: int | None
    recent_ns: NDArray[np.int64]
    shares: Shares
    history: list[Row]
    latency: Buckets
    stages: Mapping[str, Buckets]


class SourceRecord:
    """Takes what comes of a source, and shows it. Who uses it from several threads holds a lock.

    Args:
        since_unix_ns: When the source was first heard of.

    Attributes:
        message: What happened last.
        since_unix_ns: Since when it has its state.
    """

    def __init__(self, since_unix_ns: int) -> None:
        self.message = ""
        self.since_unix_ns = since_unix_ns
        self._frames = 0
        self._first_ns = 0
        self._captured_ns: int | None = None
        self._size: Size | None = None
        self._shares = Shares()
        self._rate = SlidingCount(RATE_NS, 50)
        self._window = Window(1 + len(STAGES), WINDOW_NS)
        self._history = History()
        self._latency = Buckets()
        self._stages = {stage: Buckets() for stage in STAGES}
        self._most = [0, 0, 0, 0]

    def took(self, result: Result, now_ns: int, unix_ns: int) -> None:
        """Count a result that all sinks have taken.

        Args:
            result: The result.
            now_ns: The end of the output, by ``time.monotonic_ns()``.
            unix_ns: The same in Unix time.
        """
        timing, latency_ns = result.timing, result.latency_ns
        output_ns = max(now_ns - result.frame.captured_ns - latency_ns, 0)
        stages = (timing.capture, timing.preprocess, timing.infer, timing.decode, output_ns)
        if not self._frames:
            self._first_ns = now_ns
        self._frames += 1
        self._captured_ns = result.frame.captured_ns
        height, width = result.labels.shape
        self._size = height, width
        self._shares.offer(result.labels, result.spec.classes)
        self._rate.add(now_ns)
        self._window.add(now_ns, (latency_ns, *stages))
        self._history.add(latency_ns, now_ns, unix_ns)
        self._latency.add(latency_ns)
        for stage, duration_ns in zip(STAGES, stages, strict=True):
            self._stages[stage].add(duration_ns)

    def view(self, status: SourceStatus, now_ns: int, unix_ns: int) -> SourceView:
        """What is known at this moment."""
        # sums over connections that replace each other, read while one does, may be too small for a moment
        now = status.dropped, status.late, status.reconnects, status.stalls
        self._most = [max(pair) for pair in zip(self._most, now, strict=True)]
        dropped, late, reconnects, stalls = self._most
        counted = replace(status, dropped=dropped, late=late, reconnects=reconnects, stalls=stalls)
        return SourceView(
            counted,
            status.message or self.message,
            self.since_unix_ns,
            self._size or status.size,
            self._fps(now_ns),
            self._frames,
            None if self._captured_ns is None else max(now_ns - self._captured_ns, 0),
            self._window.recent(now_ns),
            self._shares,
            self._history.rows(now_ns, unix_ns),
            self._latency.copy(),
            {stage: buckets.copy() for stage, buckets in self._stages.items()},
        )

    def _fps(self, now_ns: int) -> float:
        if not self._frames:
            return 0.0
        # less than a second says nothing of a rate
        covered_ns = max(min(self._rate.covered_ns(now_ns), now_ns - self._first_ns), NS_PER_S)
        return self._rate.total(now_ns) * NS_PER_S / covered_ns
