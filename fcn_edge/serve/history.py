"""The last two minutes of a source, a row a second."""

from __future__ import annotations

from collections import deque

import numpy as np

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.serve.window import percentiles_ms

__all__ = ["History", "Row"]

Row = tuple[int, float, float | None, float | None]
"""Unix seconds, frames, and milliseconds from capture to mask: the median and what 99 % do not exceed."""

ROWS = 120
MOST_A_SECOND = 1000
"""Latencies a second that are kept; further frames are counted alone."""


class History:
    """A row for each second that is over, from the first whole one on; a second without a frame has one too."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=ROWS)
        self._latencies: list[int] = []
        self._frames = 0
        self._second: int | None = None
        self._partial = True
        self._offset_ns = 0

    def add(self, latency_ns: int, now_ns: int, unix_ns: int) -> None:
        """Count a frame.

        Args:
            latency_ns: Capture to mask.
            now_ns: When, on any monotonic clock, the same for all calls.
            unix_ns: When, in Unix time.
        """
        self._go_on(now_ns, unix_ns)
        self._frames += 1
        if len(self._latencies) < MOST_A_SECOND:
            self._latencies.append(latency_ns)

    def rows(self, now_ns: int, unix_ns: int) -> list[Row]:
        """The rows of the last seconds that are over, oldest first; empty before the first frame."""
        if self._second is not None:
            self._go_on(now_ns, unix_ns)
        return list(self._rows)

    def _go_on(self, now_ns: int, unix_ns: int) -> None:
        """Close the seconds that are over."""
        # small steps of the clock would make two rows of one second
        if abs(unix_ns - now_ns - self._offset_ns) > NS_PER_S // 2:
            self._offset_ns = unix_ns - now_ns
        second = now_ns // NS_PER_S
        if self._second is None:
            self._second = second
        for over in range(max(self._second, second - ROWS - 1), second):
            self._close(over)
        self._second = second

    def _close(self, second: int) -> None:
        found = percentiles_ms(np.array(self._latencies, np.int64), (50, 99))
        if not self._partial:
            unix_s = (second * NS_PER_S + self._offset_ns) // NS_PER_S
            self._rows.append((unix_s, float(self._frames), found["p50"], found["p99"]))
        self._partial = False
        self._latencies, self._frames = [], 0
