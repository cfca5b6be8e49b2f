"""A child process that sends access units on, seen from outside: nothing that it does keeps anybody waiting."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fcn_edge.runtime.gstreamer_child import KILLED, Child
from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.rtsp.unit_records import HEADER, MAGIC, MESSAGE, UNIT

__all__ = ["UnitChild"]

MOST_BYTES, MOST_WAITING = 8 << 20, 50
"""That may wait for a child which takes nothing: two seconds."""
GRACE = 1.0
"""Seconds in which a child ends that is told to."""


class UnitChild(Child):
    """What it is sent goes through a short queue and a thread; what it answers is heard in another one.

    Args:
        words: What is run; the number of the descriptor for its answers is its last argument.
        heard: Called with each answer, in a thread of its own.
        over: Called in that thread with the exit status once the child has ended, None where it is not known.
        name: What the threads are called.
        environment: What its environment has beside this process's.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self,
        words: Sequence[str],
        heard: Callable[[dict[str, Any]], None],
        over: Callable[[int | None], None],
        name: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(words, environment)
        self._heard = heard
        self._over = over
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._writer = threading.Thread(target=self._write, name=f"fcn-edge {name} out", daemon=True)
        self._reader = threading.Thread(target=self._read, name=f"fcn-edge {name} in", daemon=True)

    def start(self) -> None:
        """Begin to write and to hear."""
        self._writer.start()
        self._reader.start()

    def tell(self, number: int, **message: Any) -> None:
        """Send a message, which finds room in any case: there are few of them."""
        self._put(MESSAGE, number, 0, False, json.dumps(message).encode())

    def send(self, number: int, unit: AccessUnit, time_ns: int) -> bool:
        """Send an access unit; False where there is no room, and it was left out.

        Args:
            number: Of the stream that it belongs to.
            unit: The unit.
            time_ns: Nanoseconds of the monotonic clock at which the picture was taken.
        """
        with self._changed:
            if self._bytes + len(unit.data) > MOST_BYTES or len(self._waiting) >= MOST_WAITING:
                return False
        self._put(UNIT, number, max(time_ns, 0), unit.keyframe, unit.data)
        return True

    def close(self) -> None:
        """End it, and wait for that. From any thread; in that of ``heard`` and ``over`` it waits for the others."""
        self._end_writer()
        self._writer.join(GRACE)
        if self._writer.is_alive():  # it takes nothing
            self.kill()
            self._writer.join(KILLED)
        self.end(GRACE)
        if self._reader is not threading.current_thread():
            self._reader.join(KILLED)

    def _end_writer(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, kind: int, number: int, time_ns: int, keyframe: bool, data: bytes) -> None:
        with self._changed:
            if not self._ended:
                self._waiting.append(HEADER.pack(MAGIC, kind, number, time_ns, keyframe, len(data)) + data)
                self._bytes += len(data)
                self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                record = self._waiting.popleft()
            left = memoryview(record)
            try:
                while left:
                    left = left[os.write(self._input.fileno(), left) :]
            except OSError:  # it has ended, which the other thread notices
                return
            with self._changed:
                self._bytes -= len(record) - HEADER.size

    def _read(self) -> None:
        with os.fdopen(self._output, "rb") as answers:
            for line in answers:
                with suppress(ValueError):  # cut in two by its end
                    self._heard(json.loads(line))
        self._end_writer()
        self._over(self.exit_status(KILLED))
