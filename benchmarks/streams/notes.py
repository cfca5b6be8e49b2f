"""What a watched run notes, as the lists in its file: written by ``watched_program``, read by ``watched``."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NotedChange", "NotedFrame"]


class NotedFrame(NamedTuple):
    """A frame at the sink. Times are nanoseconds of Unix time.

    Attributes:
        number: Its number in the server's loop; None where it cannot be read.
        sink_ns: When the sink had it.
        captured_ns: When it was captured, as the run says.
        camera_ns: When it was captured by the camera's clock; None where that is not told.
        network_ns: Nanoseconds that preprocessing, network and decoding of the mask took.
        position: Its index in the source, which counts the frames that were skipped.
        seconds: Its time in the source.
        dropped: Frames that were dropped before it.
    """

    number: int | None
    sink_ns: int
    captured_ns: int
    camera_ns: int | None
    network_ns: int
    position: int
    seconds: float | None
    dropped: int


class NotedChange(NamedTuple):
    """A change of the source's state or grade, or a sink that failed.

    Attributes:
        kind: ``state``, ``grade`` or ``sink``.
        state: The source's state.
        grade: Its grade, where it has one.
        message: What was told.
        unix_ns: Nanoseconds of Unix time of the change.
    """

    kind: str
    state: str
    grade: str | None
    message: str
    unix_ns: int
