"""The times of a stream's packets: where in the stream they are, and when the camera says that it captured them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from fcn_edge.metrics.durations import NS_PER_S

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["Arrival", "Timeline"]

KEPT = 64
"""Packets whose times are remembered until their frame is decoded; codecs hold back 16 frames at most."""
JUMP_NS = 10 * NS_PER_S
"""Time stamps that leap further than this, against the time that went by, have been set anew."""


@dataclass(frozen=True)
class Arrival:
    """When a packet came.

    Attributes:
        captured_ns: ``time.monotonic_ns()`` of its arrival.
        unix_ns: Nanoseconds of Unix time of its arrival, by this machine's clock.
        camera_ns: Nanoseconds of Unix time of its capture, by the camera's clock, where it tells.
    """

    captured_ns: int
    unix_ns: int
    camera_ns: int | None = None


class Timeline:
    """Remembers packets until their frames are decoded. Memory does not grow.

    The camera's own time is the producer reference time that FFmpeg puts on packets once the camera has sent an RTCP
    sender report (RFC 3550, section 6.4.1): RTP time stamps tied to the camera's wall clock. Packets without it
    get that of the last one with it, moved on by the difference of their time stamps.

    Args:
        live: Packets come when they are made, so that a leap of their time stamps against the clock can be told.
    """

    def __init__(self, live: bool) -> None:
        self._live = live
        self._arrivals: dict[int, Arrival] = {}
        self._reference: tuple[Fraction, int] | None = None
        self._told = False
        self._start: Fraction | None = None
        self._last: tuple[Fraction, int] | None = None

    def arrived(self, packet: Packet[VideoStream], captured_ns: int, unix_ns: int) -> Arrival:
        """Note a packet that came.

        Args:
            packet: The packet.
            captured_ns: ``time.monotonic_ns()`` of its arrival.
            unix_ns: Nanoseconds of Unix time of its arrival.
        """
        arrival = Arrival(captured_ns, unix_ns, self._camera_ns(packet))
        if packet.pts is not None:
            self._arrivals[packet.pts] = arrival
            if len(self._arrivals) > KEPT:
                del self._arrivals[next(iter(self._arrivals))]
        return arrival

    def arrival_of(self, pts: int | None, default: Arrival) -> Arrival:
        """When the packet of a decoded frame came.

        Args:
            pts: Time stamp of the frame.
            default: The newest arrival, for a frame whose packet had no time stamp.
        """
        return default if pts is None else self._arrivals.pop(pts, default)

    def seconds_of(self, pts: int | None, time_base: Fraction | None, captured_ns: int) -> float | None:
        """Seconds from the first frame to a frame. They grow, also where a camera sets its time stamps anew.

        Args:
            pts: Time stamp of the frame. Without one, a live frame's time goes by its arrival; the answer for a file's
                is None, as for one that does not grow.
            time_base: Seconds of one unit of it.
            captured_ns: ``time.monotonic_ns()`` of its arrival.
        """
        stamp = None if pts is None or not time_base else pts * Fraction(time_base)
        seconds = self._live_seconds(stamp, captured_ns) if self._live else self._file_seconds(stamp)
        if seconds is None:
            return None
        self._last = seconds, captured_ns
        return float(seconds)

    def _file_seconds(self, stamp: Fraction | None) -> Fraction | None:
        if stamp is None:
            return None
        if self._start is None:
            self._start = stamp
        seconds = stamp - self._start
        return None if self._last is not None and seconds <= self._last[0] else seconds

    def _live_seconds(self, stamp: Fraction | None, captured_ns: int) -> Fraction:
        if self._last is None:
            self._start = stamp
            return Fraction(0)
        last, last_ns = self._last
        passed = max(Fraction(captured_ns - last_ns, NS_PER_S), Fraction(1, 1000))
        if stamp is None:
            return last + passed
        ahead = None if self._start is None else stamp - self._start - last
        if ahead is None or ahead <= 0 or abs(ahead - passed) > Fraction(JUMP_NS, NS_PER_S):
            self._start, ahead = stamp - last - passed, passed
        return last + ahead

    def _camera_ns(self, packet: Packet[VideoStream]) -> int | None:
        told = bytes(packet.get_sidedata("prft"))
        stamp = None if packet.pts is None or not packet.time_base else packet.pts * Fraction(packet.time_base)
        # FFmpeg learns where a frame ends from the start of the next, and gives what came with that as well: the first
        # report is that of the frame after this one
        first, self._told = bool(told) and not self._told, self._told or bool(told)
        if len(told) >= 8 and not first:
            (microseconds,) = struct.unpack_from("=q", told)
            camera_ns = int(microseconds) * 1000
            if stamp is not None:
                self._reference = stamp, camera_ns
            return camera_ns
        if stamp is None or self._reference is None:
            return None
        return self._reference[1] + round((stamp - self._reference[0]) * NS_PER_S)
