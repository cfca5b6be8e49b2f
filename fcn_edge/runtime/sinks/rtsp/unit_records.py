"""What a run writes into the pipe of a child that sends access units on: both import it.

It runs in the system's Python too: nothing but the standard library of Python 3.8. Records are ``HEADER``, then as many
bytes as it says: an access unit of H.264 in Annex B, or a message as JSON. What comes back are lines of JSON.
"""

from __future__ import annotations

import os
import struct
from typing import Any

__all__ = ["HEADER", "MAGIC", "MESSAGE", "UNIT", "read_record"]

MAGIC = b"FcnU"
UNIT, MESSAGE = 1, 2
HEADER = struct.Struct("<4sIIqII")
"""Magic; UNIT or MESSAGE; number of the stream; nanoseconds of the monotonic clock at which the picture was taken; 1
where it is a keyframe; bytes that follow."""
AT_ONCE = 1 << 20


def read_record(fd: int) -> Any:
    """The next record: kind, number, nanoseconds, whether it is a keyframe, bytes; None at the end."""
    header = _read(fd, HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, kind, number, time_ns, keyframe, size = HEADER.unpack(header)
    data = _read(fd, size)
    if magic != MAGIC or len(data) < size:
        return None
    return kind, number, time_ns, bool(keyframe), data


def _read(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, AT_ONCE))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
