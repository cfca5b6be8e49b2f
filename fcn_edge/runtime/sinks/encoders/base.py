"""The base of all encoders; one muxing writer (``sinks.encoded``) serves them all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import MachineError
from fcn_edge.io.closeable import Closeable

if TYPE_CHECKING:
    from av import Packet
    from av.container import OutputContainer

__all__ = ["BT601", "BT709", "LIMITED", "Encoder", "EncoderError", "VideoBegin"]

BT709, BT601 = 1, 6
LIMITED = 1
"""How colors are coded, by FFmpeg's numbers: matrix of BT.601, primaries and transfer of BT.709, limited range."""


class EncoderError(MachineError):
    """The encoder failed, and nothing else did: another one may go on, in another file.

    Attributes:
        packets: What it gave before and nobody has got yet; it belongs into the file.
    """

    packets: Sequence[Packet[Any]] = ()


@dataclass(frozen=True, eq=False)
class VideoBegin:
    """A file that is about to get its pictures.

    Attributes:
        container: Takes the stream, which the encoder adds before its first packet.
        size: ``(height, width)``, both even.
        rate: Frames a second, as far as anybody knows.
        base: The unit of time, in seconds.
        start_ns: When the file begins, in nanoseconds from the beginning of its series.
    """

    container: OutputContainer
    size: Size
    rate: Fraction
    base: Fraction
    start_ns: int = 0


class Encoder(Closeable):
    """Pictures into packets of video, yuv420p, one file after the other. For one thread.

    ``begin``, then ``encode`` for each picture, then ``end``; packets come in the order of the pictures, each with its
    time, its stream and whether it is a keyframe. After an error there is only ``close``.

    Attributes:
        name: What it is called: ``libx264``, or an element of GStreamer.
        codec: What the packets are in, for messages.
    """

    name: str
    codec: str = "H.264"

    @abstractmethod
    def begin(self, video: VideoBegin) -> None:
        """Begin a file."""

    @abstractmethod
    def encode(self, planes: NDArray[np.uint8], ticks: int, keyframe: bool) -> Sequence[Packet[Any]]:
        """Take a picture, and give what is ready.

        Args:
            planes: ``(1.5 H, W)`` uint8, I420: the planes Y, U and V one after the other, with the matrix of BT.601.
            ticks: When it is shown, in units of the file's time base; greater than that of the picture before.
            keyframe: It must be one that needs no other.

        Raises:
            EncoderError: It cannot go on.
        """

    @abstractmethod
    def end(self) -> Sequence[Packet[Any]]:
        """End the file: give what is left.

        Raises:
            EncoderError: It cannot give all of it.
        """
