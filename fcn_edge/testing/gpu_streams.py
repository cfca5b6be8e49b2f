"""The streams, events and graphs of a fake GPU: work is done when somebody waits for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fcn_edge.testing.gpu_memory import CudaMisuseError, FakeMemory, Range

__all__ = ["FakeStreams", "Work"]

_UNWRITTEN = 0xA5
_NS_A_STEP = 1000


@dataclass(frozen=True, eq=False)
class Work:
    """One step of a stream.

    Attributes:
        name: For messages.
        run: Does it.
        touches: Memory that it reads or writes.
        target: Host memory that it will write; who reads it before gets rubbish.
    """

    name: str
    run: Callable[[], None]
    touches: tuple[Range, ...] = ()
    target: NDArray[np.uint8] | None = None


@dataclass(eq=False)
class _Stream:
    queue: deque[Work] = field(default_factory=deque)
    captured: list[Work] | None = None
    capturing_thread: int = 0
    broken: bool = False


@dataclass(eq=False)
class _Event:
    stream: int = 0
    pending: int = 0
    reached_ns: int | None = None
    awaited: bool = False


class FakeStreams:
    """Queues of work. A step takes a microsecond of the fake's clock.

    Args:
        memory: What the work uses.

    Attributes:
        live: The streams by handle.
        events: The events by handle.
        graphs: Captured work by handle.
    """

    def __init__(self, memory: FakeMemory) -> None:
        self.live: dict[int, _Stream] = {}
        self.events: dict[int, _Event] = {}
        self.graphs: dict[int, list[Work]] = {}
        self._memory = memory
        self._clock = 0

    def create(self, handle: int) -> int:
        """A new stream."""
        self.live[handle] = _Stream()
        return handle

    def destroy(self, handle: int) -> None:
        """Give a stream back.

        Raises:
            CudaMisuseError: It has work, or does not live.
        """
        if self._stream(handle).queue:
            raise CudaMisuseError("a stream is given back under queued work")
        del self.live[handle]

    def add(self, handle: int, work: Work) -> None:
        """Enqueue work, or record it where the stream is captured.

        Raises:
            CudaMisuseError: The stream or the memory does not live, or another thread captures the stream.
        """
        stream = self._stream(handle)
        if stream.captured is not None:
            if stream.capturing_thread != threading.get_ident():
                raise CudaMisuseError(f"{work.name} of another thread is recorded into a graph")
            stream.captured.append(work)
            return
        for touched in work.touches:
            self._memory.whole(touched.start)
        if work.target is not None:
            work.target[...] = _UNWRITTEN
        stream.queue.append(work)

    def drain(self, handle: int) -> None:
        """Do all work of a stream."""
        stream = self._stream(handle)
        while stream.queue:
            self._step(stream)

    def abandon(self) -> None:
        """Forget all work: after a failed wait nobody can know what of it was done."""
        for stream in self.live.values():
            stream.queue.clear()
        for event in self.events.values():
            event.pending = 0

    def user_of(self, range_: Range) -> str:
        """Name of queued work that uses some memory; empty when there is none."""
        for stream in self.live.values():
            for work in stream.queue:
                if any(range_.overlaps(touched) for touched in work.touches):
                    return work.name
        return ""

    def create_event(self, handle: int) -> int:
        """A new event."""
        self.events[handle] = _Event()
        return handle

    def record(self, handle: int, stream: int, in_graph: bool) -> None:
        """Let a stream reach an event.

        Raises:
            CudaMisuseError: ``in_graph`` does not say whether the stream is captured.
        """
        if in_graph != (self._stream(stream).captured is not None):
            raise CudaMisuseError("an event is recorded as in a graph outside one, or the other way round")
        event = self._event(handle)
        self.add(stream, Work("event_record", lambda: self._reached(event)))
        if not in_graph:
            event.stream, event.pending, event.awaited = stream, event.pending + 1, False

    def reach(self, handle: int) -> None:
        """Do the work before an event."""
        self._reach(self._event(handle))

    def _reach(self, event: _Event) -> None:
        while event.pending:
            self._step(self._stream(event.stream))

    def add_wait(self, handle: int, event: int) -> None:
        """Let a stream's later work wait for an event as it is recorded now."""
        awaited = self._event(event)
        awaited.awaited = True
        self.add(handle, Work("stream_wait", lambda: self._reach(awaited)))

    def join(self, handle: int, other: int) -> None:
        """Let a stream's later work wait for what another one holds now; one of another library holds nothing."""
        event = _Event(other, 1)
        if other in self.live:
            self.add(other, Work("event_record", lambda: self._reached(event)))
        else:
            event.pending = 0
        self.add(handle, Work("stream_join", lambda: self._reach(event)))

    def ns_between(self, first: int, second: int) -> int:
        """Nanoseconds between two events.

        Raises:
            CudaMisuseError: One was not reached.
        """
        begin, end = (self._event(handle).reached_ns for handle in (first, second))
        if begin is None or end is None:
            raise CudaMisuseError("the time between events that were not reached")
        return end - begin

    def destroy_event(self, handle: int) -> None:
        """Give an event back; one that a stream waits for keeps its meaning there.

        Raises:
            CudaMisuseError: It is yet to be reached and only the host could wait for it, or it does not live.
        """
        event = self._event(handle)
        if event.pending and not event.awaited:
            raise CudaMisuseError("an event is given back before it was reached")
        del self.events[handle]

    def begin_capture(self, handle: int) -> None:
        """Record this thread's work on a stream from here on.

        Raises:
            CudaMisuseError: It is recorded already.
        """
        stream = self._stream(handle)
        if stream.captured is not None:
            raise CudaMisuseError("a stream is captured twice at once")
        stream.captured, stream.capturing_thread, stream.broken = [], threading.get_ident(), False

    def break_capture(self) -> bool:
        """Spoil this thread's capture, as calls do that must not be made meanwhile; False when there is none."""
        for stream in self.live.values():
            if stream.captured is not None and stream.capturing_thread == threading.get_ident():
                stream.broken = True
                return True
        return False

    def end_capture(self, handle: int) -> list[Work] | None:
        """The recorded work; None when the capture was spoilt.

        Raises:
            CudaMisuseError: None was begun.
        """
        stream = self._stream(handle)
        works, stream.captured = stream.captured, None
        if works is None:
            raise CudaMisuseError("the end of a capture that was not begun")
        return None if stream.broken else works

    def _step(self, stream: _Stream) -> None:
        self._clock += _NS_A_STEP
        stream.queue.popleft().run()

    def _reached(self, event: _Event) -> None:
        event.reached_ns = self._clock
        event.pending = max(event.pending - 1, 0)

    def _stream(self, handle: int) -> _Stream:
        if handle not in self.live:
            raise CudaMisuseError(f"{handle:#x} is no stream that lives (0 is the default stream)")
        return self.live[handle]

    def _event(self, handle: int) -> _Event:
        if handle not in self.events:
            raise CudaMisuseError(f"{handle:#x} is no event that lives")
        return self.events[handle]
