"""Frames of connections that follow each other, numbered and timed as those of one."""

from __future__ import annotations

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sources.base import Picture

__all__ = ["Numbering"]


class Numbering:
    """Indices that go on where those of the connection before ended, and times that went on meanwhile."""

    def __init__(self) -> None:
        self._first = 0
        self._next = 0
        self._shift: float | None = 0.0
        self._last: tuple[float, int] | None = None

    def go_on(self) -> None:
        """The next frame is the first of another connection."""
        self._first = self._next
        self._shift = None

    def picture(self, frame: Frame) -> Picture:
        """The frame, with index and time of the whole."""
        index = self._first + frame.index
        self._next = index + 1
        own_name = "" if frame.name == f"{frame.index:06d}" else frame.name
        return Picture(
            frame.image,
            own_name,
            frame.labels,
            self._time(frame),
            index,
            frame.captured_ns,
            frame.captured_unix_ns,
            frame.camera_time_ns,
        )

    def _time(self, frame: Frame) -> float | None:
        if frame.time is None:
            return None
        if self._shift is None:
            # time went on while it was lost
            last, captured_ns = self._last or (frame.time, frame.captured_ns)
            self._shift = last + (frame.captured_ns - captured_ns) / NS_PER_S - frame.time
        time_in_source = frame.time + self._shift
        self._last = time_in_source, frame.captured_ns
        return time_in_source
