"""What goes through the pipe between the child process of GStreamer and this one: both import it.

It runs in the system's Python too: nothing but the standard library of Python 3.8. A record is ``HEADER``, then as many
bytes as it says, either the rows of a frame or a message as JSON. A message holds names and numbers only, never a text
of GStreamer's, which would show addresses with their passwords.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from contextlib import suppress
from typing import Any

__all__ = ["FRAME", "HEADER", "MAGIC", "MESSAGE", "NO_TIME", "UNTOLD", "Writer"]

MAGIC = b"FcnG"
FRAME, MESSAGE = 1, 2
NO_TIME = UNTOLD = -1
HEADER = struct.Struct("<4sIIIIIQqqqqq")
"""Magic; FRAME or MESSAGE; width, height and stride in bytes; bytes that follow; index of the frame, skipped ones
counted; keyframes up to it, ``UNTOLD`` where nobody counts them; nanoseconds: running time in the pipeline,
CLOCK_MONOTONIC and Unix time at which the frame arrived, Unix time by the camera's clock; ``NO_TIME`` where there is
none."""

PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl has a name for it since Python 3.10


class Writer:
    """Records into the pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.set_inheritable(fd, False)  # GStreamer's plugin scanner would keep it open
        with suppress(OSError):  # a smaller one is slower, no more
            fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)

    def message(self, **content: Any) -> None:
        """Tell something.

        Args:
            content: ``kind`` and what belongs to it.
        """
        data = json.dumps(content).encode()
        times = NO_TIME, NO_TIME, NO_TIME, NO_TIME
        self._all(HEADER.pack(MAGIC, MESSAGE, 0, 0, 0, len(data), 0, UNTOLD, *times) + data)

    def frame(self, data: Any, shape: Any, index: int, keyframes: int, times: Any) -> None:
        """Give a frame.

        Args:
            data: Its rows, BGR.
            shape: Width, height and stride.
            index: Its number.
            keyframes: How many there are up to it, or ``UNTOLD``.
            times: The four times of ``HEADER``.
        """
        self._all(HEADER.pack(MAGIC, FRAME, *shape, len(data), index, keyframes, *times))
        self._all(data)

    def _all(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]
