"""A file that plays like a camera: each frame at its own time, and nobody waits for a slow reader (``--realtime``)."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from typing_extensions import override

from fcn_edge.errors import UsageError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.sources.base import SLICE, Connection, Picture, next_picture
from fcn_edge.runtime.sources.wrapped import Wrapper, picture_of

__all__ = ["PacedConnection"]

LATE_NS = 200_000_000


class PacedConnection(Wrapper):
    """The frames of a source at the pace of their own times. Live: a slow reader gets the newest, the rest is dropped.

    The clock starts when the first frame is read. A thread reads ahead; a frame counts as captured when it was due, so
    that a frame that was decoded too slowly shows in its age. A source that cannot keep its pace at all, such as a
    street that is rendered meanwhile, plays more slowly: its clock waits where it is behind by more than ``LATE_NS``,
    or its frames would get older without end. A source that is live already stays as it is.

    Args:
        inner: The source; connecting raises UsageError where it has neither times nor a rate.
        leave_open: ``close`` leaves the inner connection open, and ``interrupt`` leaves it alone.
    """

    def __init__(self, inner: Connection, leave_open: bool = False) -> None:
        self._leave_open = leave_open
        self._pictures: Channel[Picture] = Channel(1, newest=True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fcn-edge pace", daemon=True)
        super().__init__(inner)
        self.live = True

    @property
    @override
    def dropped(self) -> int:
        return self._inner.dropped + self._pictures.dropped

    @override
    def interrupt(self) -> None:
        self._stop.set()
        if self._leave_open:
            Connection.interrupt(self)
        else:
            super().interrupt()

    @override
    def close(self) -> None:
        self._stop.set()
        self._pictures.stop()
        if self._thread.ident is not None:
            self._thread.join()
        if self._leave_open:
            Connection.close(self)
        else:
            super().close()

    @override
    def _next(self, timeout: float) -> Picture | None:
        if self._inner.live:
            return super()._next(timeout)
        if self._thread.ident is None:
            self._thread.start()
        return next_picture(self._pictures, timeout)

    @override
    def _take_over(self) -> None:
        super()._take_over()
        self.live = True
        if not self._inner.live and self.fps is None:
            raise UsageError(
                f"{self.id} has no rate to be played at.",
                "Give one: #fps=10 behind the source, or leave out --realtime.",
            )

    def _run(self) -> None:
        """The thread: read a frame, wait until it is due, hand it over."""
        clock = _Clock(self.fps or 1.0)
        try:
            while not self._stop.is_set():
                frame = self._inner.read(SLICE)
                if frame is None:
                    if self._inner.state == "ended":
                        break
                    continue
                due_ns, due_unix_ns = clock.due(frame.time, time.monotonic_ns())
                if self._stop.wait(max(due_ns - time.monotonic_ns(), 0) / NS_PER_S):
                    break
                picture = replace(picture_of(frame), captured_ns=due_ns, captured_unix_ns=due_unix_ns)
                if not self._pictures.put(picture):
                    break
            self._pictures.end()
        except Exception as error:
            self._pictures.end(error)


class _Clock:
    """When frames are due: the first at once, each further one by its time; by the rate where it has none."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._start = time.monotonic_ns(), time.time_ns()
        self._waited_ns = 0
        self._offset: float | None = None
        self._last = 0.0

    def due(self, seconds: float | None, now_ns: int) -> tuple[int, int]:
        """The next frame's moment on the monotonic clock and in Unix time, nanoseconds.

        Args:
            seconds: Its time in the source.
            now_ns: When it was there.
        """
        if self._offset is None:
            self._offset = seconds or 0.0
        elif seconds is None:
            self._last += 1 / self._fps
        if seconds is not None:
            self._last = seconds - self._offset
        after = round(self._last * NS_PER_S) + self._waited_ns
        behind_ns = now_ns - self._start[0] - after
        if behind_ns > LATE_NS:
            self._waited_ns += behind_ns - LATE_NS
            after += behind_ns - LATE_NS
        return self._start[0] + after, self._start[1] + after
