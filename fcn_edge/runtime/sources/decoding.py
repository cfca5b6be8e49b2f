"""Packets of a video to pictures, with PyAV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fcn_edge.errors import needed_for
from fcn_edge.runtime.sources.ffmpeg_limits import DECODER_LIMITS

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Decoder", "quiet_av"]

_GIVES_GRAY = frozenset(
    {"flv1", "h261", "h263", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2"}
)
"""FFmpeg decodes these from the middle of a group of pictures too, onto gray; others it holds back by itself."""


def quiet_av() -> None:
    """Keep FFmpeg's own words off standard error: they show addresses with their passwords.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    with needed_for("A video stream"):
        import av.logging

    av.logging.set_level(None)


class Decoder:
    """Pictures of one video stream, in the order in which they are shown. For one thread.

    Damage is counted and not raised. Pictures of which FFmpeg tells that they are damaged are left out; those made from
    them, or from ones that never came, it gives as if they were whole, until the next keyframe.

    Args:
        stream: The video stream of an open container.
        live: Give each picture as soon as it can be, in one thread; else threads of FFmpeg overlap pictures.

    Attributes:
        errors: Packets that could not be decoded, and pictures that were left out because they are damaged.
        waiting: No picture can be given before the next keyframe.
    """

    def __init__(self, stream: VideoStream, live: bool) -> None:
        self.errors = 0
        self.waiting = True
        context = stream.codec_context
        self._context = context
        self._held = context.name in _GIVES_GRAY
        context.options = DECODER_LIMITS
        context.thread_type = "SLICE" if live else "AUTO"
        # threads that work on several frames at once keep as many of them back
        context.thread_count = 1 if live else 0

    def frames_of(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Decoded frames that a packet completes.

        Args:
            packet: The next packet; None, or an empty one, at the end of the stream, for those that are still inside.
        """
        import av

        try:
            decoded = self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            if packet is not None and packet.size:
                self.errors += 1
            return []
        return [frame for frame in decoded if self._is_whole(frame)]

    def flush(self) -> None:
        """Forget what was begun, such as after a gap: nothing is given before the next keyframe."""
        self._context.flush_buffers()
        self.waiting = True

    def _is_whole(self, frame: VideoFrame) -> bool:
        if frame.is_corrupt:
            self.errors += 1
            self.waiting = True
            return False
        if self.waiting and self._held and not frame.key_frame:
            return False
        self.waiting = False
        return True
