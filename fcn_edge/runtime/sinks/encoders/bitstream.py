"""Access units of H.264 as packets of a file: what no encoder of GStreamer says itself is added."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from fcn_edge.runtime.sinks.encoders.base import BT601, BT709, VideoBegin
from fcn_edge.runtime.sinks.encoders.failures import failed
from fcn_edge.runtime.sinks.encoders.process import AccessUnit

if TYPE_CHECKING:
    from av import Packet

__all__ = ["Bitstream"]

METADATA = "h264_metadata=" + ":".join(
    (
        "aud=remove",
        f"colour_primaries={BT709}",
        f"transfer_characteristics={BT709}",
        f"matrix_coefficients={BT601}",
        "video_full_range_flag=0",
    )
)
"""FFmpeg's filter that writes how colors are coded into the stream: boards' encoders leave it out."""


class Bitstream:
    """The stream of one file, which is added to its container.

    Args:
        name: The encoder, for messages.
        video: The file.
        first: Its first access unit, a keyframe: it holds the parameter sets.

    Raises:
        EncoderError: It is no H.264.
    """

    def __init__(self, name: str, video: VideoBegin, first: AccessUnit) -> None:
        import av
        from av.bitstream import BitStreamFilterContext

        self._name = name
        self._base = video.base
        self._broken = av.error.FFmpegError, IndexError, ValueError
        try:
            with av.open(io.BytesIO(first.data), format="h264") as raw:
                self._filter = BitStreamFilterContext(METADATA, raw.streams.video[0])
                (packet,) = BitStreamFilterContext(METADATA, raw.streams.video[0]).filter(av.Packet(first.data))
            with av.open(io.BytesIO(bytes(packet)), format="h264") as raw:
                parameters = raw.streams.video[0]
                self._stream = video.container.add_stream_from_template(parameters, opaque=True)
        except self._broken:
            raise failed(name, "sent what is no H.264") from None
        self._stream.time_base = video.base

    def packet(self, unit: AccessUnit, ticks: int) -> Packet[Any]:
        """The packet of an access unit.

        Args:
            unit: The next one, also the first.
            ticks: When it is shown, in units of the file's time base.

        Raises:
            EncoderError: It is no H.264, or not one picture.
        """
        from av import Packet

        try:
            (packet,) = self._filter.filter(Packet(unit.data))
        except self._broken:
            raise failed(self._name, "sent what is no H.264") from None
        packet.stream = self._stream
        packet.pts = packet.dts = ticks
        packet.time_base = self._base
        packet.is_keyframe = unit.keyframe
        return packet
