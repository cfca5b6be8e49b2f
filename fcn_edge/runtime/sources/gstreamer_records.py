"""What goes through the pipe between the child process of GStreamer and this one: both import it.

It runs in the system's Python too: nothing but the standard library of Python 3.8. A record is ``HEADER``, then as many
bytes as it says, either the rows of a frame or a message as JSON. A message holds names and numbers only, never a text
of GStreamer's, which would show addresses with their passwords.
"""

from __future__ import annotations

import struct

__all__ = ["FRAME", "HEADER", "MAGIC", "MESSAGE", "NO_TIME", "UNTOLD"]

MAGIC = b"FcnG"
FRAME, MESSAGE = 1, 2
NO_TIME = UNTOLD = -1
HEADER = struct.Struct("<4sIIIIIQqqqqq")
"""Magic; FRAME or MESSAGE; width, height and stride in bytes; bytes that follow; index of the frame, skipped ones
counted; keyframes up to it, ``UNTOLD`` where nobody counts them; nanoseconds: running time in the pipeline,
CLOCK_MONOTONIC and Unix time at which the frame arrived, Unix time by the camera's clock; ``NO_TIME`` where there is
none."""
