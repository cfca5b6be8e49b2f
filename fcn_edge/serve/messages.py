"""What goes to browsers in binary: the video of a source with its masks.

A message is ``HEADER``, then two parts: of an init segment the codec's name and the boxes, of a picture its fragment
and its mask (``masks.packed_mask``), which may be empty.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fcn_edge.metrics.durations import NS_PER_US
from fcn_edge.serve.fragments import InitSegment

__all__ = ["HEADER", "Message", "init_message", "picture_message"]

HEADER = struct.Struct("<BBHIQQII")
"""Kind; flags; number of the source; 0; media time in 1/90000 s; Unix time of the capture in microseconds; bytes of
each part."""
INIT, PICTURE = 1, 2
KEYFRAME, NO_SIGNAL = 1, 2


@dataclass(frozen=True, eq=False)
class Message:
    """A message, ready to be sent to any number of viewers.

    Attributes:
        source: Number of the source.
        data: Its bytes.
        init: It is an init segment: no picture before it fits to one behind it.
        keyframe: It can be shown without the ones before.
    """

    source: int
    data: bytes
    init: bool = False
    keyframe: bool = False


def init_message(source: int, init: InitSegment) -> Message:
    """The message of an init segment.

    Args:
        source: Number of the source.
        init: The segment.
    """
    return Message(source, _packed(INIT, 0, source, 0, 0, init.codec.encode(), init.data), init=True)


def picture_message(
    source: int, ticks: int, captured_unix_ns: int, fragment: bytes, mask: bytes, keyframe: bool, no_signal: bool
) -> Message:
    """The message of a picture.

    Args:
        source: Number of the source.
        ticks: Media time in 1/90000 s.
        captured_unix_ns: Nanoseconds of Unix time at the capture.
        fragment: Its fragment of MP4.
        mask: Its mask, packed; empty where there is none.
        keyframe: It needs no other picture.
        no_signal: It is no picture of the camera, which is away.
    """
    flags = KEYFRAME * keyframe | NO_SIGNAL * no_signal
    data = _packed(PICTURE, flags, source, ticks, captured_unix_ns // NS_PER_US, fragment, mask)
    return Message(source, data, keyframe=keyframe)


def _packed(kind: int, flags: int, source: int, ticks: int, unix_us: int, first: bytes, second: bytes) -> bytes:
    header = HEADER.pack(kind, flags, source, 0, ticks, max(unix_us, 0), len(first), len(second))
    return b"".join((header, first, second))
