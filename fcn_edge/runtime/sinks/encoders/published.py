"""The encoder of a file whose packets others get too, as access units."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.encoders.base import Encoder, VideoBegin

if TYPE_CHECKING:
    from av import Packet

__all__ = ["PublishedEncoder"]

SPS = 7
"""Kind of the NAL unit that holds the parameters of a sequence."""
LATEST_NS = NS_PER_S // 2
"""A picture that comes so much later than its time was made after a pause, and times count from then on."""


class PublishedEncoder(Encoder):
    """Encodes as another one does, for the same files, and shows each packet.

    Args:
        encoder: What encodes.
        publish: Called with the access unit in Annex B, in which a keyframe begins with its parameter sets; whether it
            is a keyframe; the size of the picture; and nanoseconds of the monotonic clock at which it is shown: the
            times of the pictures, moved so far that the soonest one is shown when it is encoded.
    """

    def __init__(self, encoder: Encoder, publish: Callable[[bytes, bool, Size, int], None]) -> None:
        self._encoder = encoder
        self._publish = publish
        self._size: Size = (0, 0)
        self._base = Fraction(1)
        self._start_ns = 0
        self._offset_ns: int | None = None
        self.codec = encoder.codec

    @property
    def name(self) -> str:  # type: ignore[override]
        """What the other one is called."""
        return self._encoder.name

    @override
    def begin(self, video: VideoBegin) -> None:
        self._size, self._base, self._start_ns = video.size, video.base, video.start_ns
        self._encoder.begin(video)

    @override
    def encode(self, planes: NDArray[np.uint8], ticks: int, keyframe: bool) -> Sequence[Packet[Any]]:
        packets = self._encoder.encode(planes, ticks, keyframe)
        self._show(packets)
        return packets

    @override
    def end(self) -> Sequence[Packet[Any]]:
        packets = self._encoder.end()
        self._show(packets)
        return packets

    @override
    def close(self) -> None:
        self._encoder.close()

    def _show(self, packets: Sequence[Packet[Any]]) -> None:
        for packet in packets:
            data = bytes(packet)
            if packet.is_keyframe and not _has_parameters(data):  # the file keeps them at its beginning
                data = bytes(packet.stream.codec_context.extradata or b"") + data
            self._publish(data, bool(packet.is_keyframe), self._size, self._shown_ns(packet.pts or 0))

    def _shown_ns(self, ticks: int) -> int:
        now_ns = time.monotonic_ns()
        time_ns = self._start_ns + round(ticks * self._base * NS_PER_S)
        offset_ns = now_ns - time_ns
        if self._offset_ns is None or not 0 <= offset_ns - self._offset_ns <= LATEST_NS:
            self._offset_ns = offset_ns
        return time_ns + self._offset_ns


def _has_parameters(data: bytes) -> bool:
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        kind = data[at + 3] & 31
        if kind == SPS:
            return True
        if kind in (1, 5):  # the picture itself
            return False
        at = data.find(b"\0\0\1", at + 3)
    return False
