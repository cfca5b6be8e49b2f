"""The child process in which GStreamer encodes, seen from outside."""

from __future__ import annotations

import fcntl
import json
import os
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcn_edge.runtime.gstreamer_child import GStreamerChild
from fcn_edge.runtime.sinks.encoders.encoder_records import HEADER, MAGIC, PICTURE, UNIT

__all__ = ["WORKER", "AccessUnit", "EncoderProcess"]

WORKER = Path(__file__).with_name("worker.py")
LARGEST = 1 << 26
"""Bytes of one record."""
READ = 1 << 20
PIPE_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class AccessUnit:
    """An encoded picture.

    Attributes:
        data: H.264 in Annex B.
        time_ns: When it is shown, as the picture was given.
        keyframe: It needs no other; parameter sets stand before it.
    """

    data: bytes
    time_ns: int
    keyframe: bool


class EncoderProcess(GStreamerChild):
    """A running child, for one thread.

    What it writes is read while it is written to, so that neither waits for the other.

    Args:
        python: The interpreter, which has ``gi``.
        description: The pipeline, from ``elements``.
        program: What the interpreter runs.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, python: str, description: Mapping[str, Any], program: Path = WORKER) -> None:
        super().__init__(python, program)
        self._received = bytearray()
        self._over = False
        with suppress(OSError):  # a smaller one is slower, no more
            fcntl.fcntl(self._input.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._output, False)
        os.set_blocking(self._input.fileno(), False)
        self.send(json.dumps(description).encode() + b"\n", time.monotonic() + 1)

    def picture(self, data: bytes, time_ns: int, keyframe: bool, until: float) -> bool:
        """Hand over a picture: I420 as GStreamer lays it out. As ``send``."""
        return self.send(PICTURE.pack(MAGIC, time_ns, keyframe, len(data)), until) and self.send(data, until)

    def send(self, data: bytes, until: float) -> bool:
        """Write all of it; False where the child has ended, or took longer than to this moment (``time.monotonic``)."""
        left = memoryview(data)
        while left:
            if not self._wait(select.POLLOUT, until):
                return False
            try:
                left = left[os.write(self._input.fileno(), left) :]
            except BlockingIOError:
                continue
            except OSError:
                return False
        return True

    def receive(self, until: float) -> AccessUnit | dict[str, Any] | None:
        """The next access unit or message; None where none comes to this moment, or the child has ended (``over``).

        What is there already is given in any case.

        Raises:
            ValueError: What came is no record of the child's.
        """
        while (record := self._record()) is None:
            if self._over or not self._wait(0, until):
                return None
        return record

    @property
    def over(self) -> bool:
        """It has ended, and all that it wrote was received."""
        return self._over and self._record_size() is None

    def close(self, grace: float) -> None:
        """``end`` it, and give the pipes back."""
        try:
            self.end(grace)
        finally:
            os.close(self._output)

    def _wait(self, event: int, until: float) -> bool:
        """Take in what the child wrote, and wait until it writes or ``event`` is possible; False when time is over."""
        left = max(until - time.monotonic(), 0.0)
        if event and not left:
            return False
        poll = select.poll()
        if not self._over:
            poll.register(self._output, select.POLLIN)
        if event:
            poll.register(self._input.fileno(), event)
        ready = dict(poll.poll(left * 1000))
        if self._output in ready:
            with suppress(BlockingIOError):
                content = os.read(self._output, READ)
                self._received += content
                self._over = not content
        return bool(ready)

    def _record_size(self) -> int | None:
        """Bytes of the record that was received first; None where it is not whole yet."""
        if len(self._received) < HEADER.size:
            return None
        magic, _, _, _, size = HEADER.unpack_from(self._received)
        if magic != MAGIC or size > LARGEST:
            raise ValueError("no record")
        return HEADER.size + size if len(self._received) >= HEADER.size + size else None

    def _record(self) -> AccessUnit | dict[str, Any] | None:
        size = self._record_size()
        if size is None:
            return None
        _, kind, time_ns, keyframe, _ = HEADER.unpack_from(self._received)
        data = bytes(self._received[HEADER.size : size])
        del self._received[:size]
        if kind == UNIT:
            return AccessUnit(data, time_ns, bool(keyframe))
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("no message")
        return message
