"""The video of one source for browsers: the camera's own pictures, encoded once for all viewers, each with its mask.

The browser draws the masks over the pictures: opacity and classes then act at once, for one viewer, and the pictures
of the others, of files and of RTSP stay as they are. A server that drew them would encode for each viewer's wishes, or
have all see those of the last one, and what is changed would show only after the time that a picture takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import FcnEdgeError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.signal import SignalWatch, no_signal_picture
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.units import AccessUnit, UnitEncoder
from fcn_edge.runtime.sinks.video_clock import usual_rate
from fcn_edge.runtime.sinks.video_writer import even
from fcn_edge.serve.fragments import InitSegment, fragment, init_segment, parameter_sets
from fcn_edge.serve.masks import packed_mask
from fcn_edge.serve.messages import Message, init_message, picture_message

__all__ = ["SourceVideo"]

NO_SIGNAL_PERIOD = 0.2
"""Seconds between two pictures that say that there is no signal."""
CLOSE_TIMEOUT = 2.0
"""Seconds that a picture may take to encode when the video is closed; a board's encoder may hang for longer."""
RETRY = 10.0
"""Seconds from a failure to the next attempt: a page that runs for months outlives its encoder."""
BACK_NS = 5 * NS_PER_S
"""A picture that was captured so many nanoseconds before the one before it was taken by another clock."""
STEP_NS = NS_PER_S // 25
"""From the last picture to the first by another clock, or of another encoder."""
LINGER = 3.0
"""Seconds that an encoder is kept for when nobody looks: who loads the page again finds it running."""
MOST_PENDING = 64
"""Pictures that an encoder may hold; their masks wait for them."""

_LOG = logging.getLogger(__name__)


class SourceVideo:
    """Encodes the pictures of one source while somebody looks, in a thread of its own.

    It takes the newest picture only: an encoder that is slower than the network leaves some out. Who is the first to
    look gets the last one at once, as a keyframe: the next may be far, above all of a source that is paused or over.
    Where the pictures' size changes, another init segment comes: masks lie on pictures of their own shape. What fails
    is tried again. Times never go back while somebody looks.

    Args:
        number: Number of the source.
        choice: What encodes.
        publish: Called in the thread with each message.
        over: Called with the number in the thread when it ends, after the last message.

    Attributes:
        encode_ns: Nanoseconds that went into encoding and packing masks, since the start.
        encoded: Pictures that were encoded.
    """

    def __init__(
        self,
        number: int,
        choice: Choice,
        publish: Callable[[Message], None],
        over: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.encode_ns = self.encoded = 0
        self._number = number
        self._choice = choice
        self._publish = publish
        self._over = over
        self._signal = SignalWatch()
        self._wake = threading.Condition()
        self._newest: Result | None = None
        self._seen: Result | None = None
        self._begins = False
        self._watched = self._closed = False
        self._thread: threading.Thread | None = None
        self._began_ns = self._captured_ns = 0
        self._size: Size | None = None
        self._fails = False
        self._last: NDArray[np.uint8] | None = None
        self._encoder: UnitEncoder | None = None
        self._init: InitSegment | None = None
        self._sequence = 0
        self._pending: dict[int, tuple[int, bytes, bool]] = {}

    def put(self, result: Result) -> None:
        """Take a result; takes no time. It is only kept while nobody looks."""
        self._signal.came(result)
        with self._wake:
            if self._closed:
                return
            self._seen = result
            if self._watched:
                self._newest = result
                self._wake.notify()

    def heard(self, event: Event) -> None:
        """Take notice of an event of the source."""
        self._signal.heard(event)

    def watch(self, watched: bool) -> None:
        """Say whether somebody looks. From any thread."""
        with self._wake:
            begins = watched and not self._watched and not self._closed
            self._watched = watched and not self._closed
            if begins:
                self._begins, self._newest = True, self._seen
            if self._watched and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fcn-edge live page", daemon=True)
                self._thread.start()
            self._wake.notify()

    def end(self) -> None:
        """Have the thread end, without waiting for it."""
        with self._wake:
            self._watched, self._closed = False, True
            self._newest = self._seen = None
            self._wake.notify()

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """End the thread, and wait for it for some seconds. May be called more than once."""
        self.end()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._closed:
                self._try_to_work()
        finally:
            self._end()
            self._over(self._number)

    def _try_to_work(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._end()
            self._say_that_it_fails(error)
            with self._wake:
                self._wake.wait_for(lambda: self._closed, RETRY)

    def _work(self) -> None:
        """Show what there is to show now, or wait."""
        result = self._next()
        away_ns = self._signal.away_since_unix_ns
        if not self._watched:
            self._end()
            self._size = None
            with self._wake:
                self._wake.wait_for(lambda: self._watched or self._closed)
        elif away_ns is not None and (result is None or self._begins):
            if result is not None:
                self._last = result.segmentation.frame
            self._show_no_signal(away_ns)
        elif result is not None:
            self._show(result)

    def _say_that_it_fails(self, error: Exception) -> None:
        """Warn, but not at each attempt."""
        if self._fails:
            return
        self._fails = True
        known = isinstance(error, FcnEdgeError)
        why = error.message if isinstance(error, FcnEdgeError) else "an error that nobody expected."
        again = f"It is tried again every {RETRY:g} s."
        _LOG.warning("The live page shows no video of a source: %s %s", why, again, exc_info=None if known else error)

    def _next(self) -> Result | None:
        """The newest result; None after a while without one, and when nobody has looked for a while."""
        with self._wake:
            if not self._watched:
                self._wake.wait_for(lambda: self._watched or self._closed, LINGER)
            elif self._newest is None:
                self._wake.wait(NO_SIGNAL_PERIOD)
            result, self._newest = self._newest, None
            return result

    def _show(self, result: Result) -> None:
        began = time.thread_time_ns()
        frame = result.segmentation.frame
        self._last = frame
        self._encode(frame, result.frame.captured_ns, result.frame.captured_unix_ns, packed_mask(result.labels), False)
        self.encode_ns += time.thread_time_ns() - began

    def _show_no_signal(self, away_ns: int) -> None:
        size = (480, 640) if self._last is None else (self._last.shape[0], self._last.shape[1])
        picture = no_signal_picture(self._last, size, away_ns)
        self._encode(picture, time.monotonic_ns(), time.time_ns(), b"", True)

    def _encode(self, picture: NDArray[np.uint8], captured_ns: int, unix_ns: int, mask: bytes, no_signal: bool) -> None:
        size = even(*picture.shape[:2])
        if size != self._size:
            self._end()
        if self._encoder is None:
            self._encoder = UnitEncoder(self._choice, usual_rate(None))
            self._init = None
            self._begin_at(captured_ns)
        elif captured_ns < self._captured_ns - BACK_NS:
            self._begin_at(captured_ns)
        self._size, self._captured_ns = size, captured_ns
        if self._begins:
            self._begins = False
            self._encoder.begin_group()
        units = self._encoder.encode(picture, captured_ns - self._began_ns)
        self._fails = False
        self.encoded += 1
        self._pending[self._encoder.ticks] = unix_ns, mask, no_signal
        for unit in units:
            self._send(unit)
        while len(self._pending) > MOST_PENDING:
            del self._pending[next(iter(self._pending))]

    def _begin_at(self, captured_ns: int) -> None:
        """Let media times go on: a browser may take the same init segment for the same stream."""
        next_ns = 0 if self._size is None else self._captured_ns - self._began_ns + STEP_NS
        self._began_ns = captured_ns - next_ns

    def _send(self, unit: AccessUnit) -> None:
        if unit.keyframe and (self._init is None or parameter_sets(unit) != self._init.parameters):
            self._init = init_segment(unit)
            self._sequence = 0
            self._publish(init_message(self._number, self._init))
        if self._init is None:
            return
        self._sequence += 1
        unix_ns, mask, no_signal = self._pending.pop(unit.ticks, (0, b"", False))
        moof = fragment(unit, self._sequence)
        self._publish(picture_message(self._number, unit.ticks, unix_ns, moof, mask, unit.keyframe, no_signal))

    def _end(self) -> None:
        encoder, self._encoder = self._encoder, None
        self._pending.clear()
        if encoder is not None:
            with suppress(FcnEdgeError):
                encoder.close()
