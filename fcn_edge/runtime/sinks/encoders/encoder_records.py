"""What goes through the pipes between the child process that encodes and this one: both import it.

It runs in the system's Python too: nothing but the standard library of Python 3.8. A picture is ``PICTURE`` and its
bytes. What comes back are records: ``HEADER``, then as many bytes as it says, either an access unit or a message as
JSON, which holds names and numbers only.
"""

from __future__ import annotations

import struct

__all__ = ["HEADER", "MAGIC", "MESSAGE", "PICTURE", "UNIT"]

MAGIC = b"FcnE"
UNIT, MESSAGE = 1, 2
PICTURE = struct.Struct("<4sqII")
"""Magic; nanoseconds at which it is shown; 1 where it must be a keyframe; bytes that follow."""
HEADER = struct.Struct("<4sIqII")
"""Magic; UNIT or MESSAGE; nanoseconds at which the unit is shown; 1 where it is a keyframe; bytes that follow."""
