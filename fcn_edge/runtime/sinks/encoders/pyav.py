"""Encoders in PyAV's wheel: on the processor, everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.runtime.sinks.encoders.base import BT601, BT709, LIMITED, Encoder, VideoBegin

if TYPE_CHECKING:
    from av import Packet

__all__ = ["PyAvEncoder", "pyav_encodes"]

ONE_THREAD = 1 << 20
"""Pixels up to which one thread encodes: more than one would take them from the network."""


class PyAvEncoder(Encoder):
    """An encoder of FFmpeg, with a stream of its own in each file. A new one says which.

    Attributes:
        name: FFmpeg's name of the encoder.
        options: FFmpeg's options of the encoder. With them it keeps no frame back.
    """

    options: Mapping[str, str]

    def __init__(self) -> None:
        import av
        from av.video.frame import PictureType

        self._new_frame = av.VideoFrame.from_ndarray
        self._intra = PictureType.I
        self._stream: Any = None

    @override
    def begin(self, video: VideoBegin) -> None:
        self._stream = video.container.add_stream(self.name, rate=video.rate, options=dict(self.options))
        context = self._stream.codec_context
        context.height, context.width = video.size
        context.pix_fmt = "yuv420p"
        context.time_base = self._base = video.base
        context.thread_count = 1 if video.size[0] * video.size[1] <= ONE_THREAD else 2
        context.colorspace, context.color_range = BT601, LIMITED
        context.color_primaries = context.color_trc = BT709

    @override
    def encode(self, planes: NDArray[np.uint8], ticks: int, keyframe: bool) -> Sequence[Packet[Any]]:
        frame = self._new_frame(planes, format="yuv420p")
        frame.colorspace, frame.color_range = BT601, LIMITED
        frame.pts, frame.time_base = ticks, self._base
        if keyframe:
            frame.pict_type = self._intra
        packets: Sequence[Packet[Any]] = self._stream.encode(frame)
        return packets

    @override
    def end(self) -> Sequence[Packet[Any]]:
        packets: Sequence[Packet[Any]] = self._stream.encode(None)
        return packets

    @override
    def close(self) -> None:
        self._stream = None


def pyav_encodes(name: str) -> bool:
    """Whether PyAV is installed and has the encoder of this name; some builds lack libx264 because of its license."""
    try:
        import av
    except ImportError:
        return False
    return name in av.codecs_available
