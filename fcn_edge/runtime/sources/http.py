"""Videos over HTTP: MJPEG cameras, video files, and HLS playlists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from typing_extensions import override

from fcn_edge.errors import FcnEdgeError, SourceError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sources.demuxing import packets_of
from fcn_edge.runtime.sources.network import TIMEOUT, NetworkConnection
from fcn_edge.runtime.sources.web import WebClient
from fcn_edge.runtime.uri import Uri

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["HttpConnection"]

FORMATS = (
    "aac,ac3,asf,avi,eac3,flv,gif,h264,hevc,hls,ivf,jpeg_pipe,m4v,matroska,mjpeg,mov,mp3,mpeg,mpegts,mpegvideo,mpjpeg,"
    "ogg,png_pipe,webvtt"
)
"""What FFmpeg may take an answer for. Absent are those that open other files by name, such as concat."""
PLAYLIST = b"#EXTM3U"
SEGMENT = 10.0
"""Seconds that a segment of a playlist may last; it comes whole."""
PLAYLIST_PATIENCE = 3 * SEGMENT
"""Seconds without a packet after which a playlist is lost, where no other time was asked for."""
LATE = 10.0
"""Seconds: frames of a live playlist that are off by more than this begin a new count."""


class HttpConnection(NetworkConnection):
    """A video over http or https: MJPEG (``multipart/x-mixed-replace``), a video file, or an HLS playlist.

    What has no length is live, and a slow reader gets the newest frame; a live playlist comes segment by segment, and
    its frames are given at their own pace. Of a file or a playlist that is complete, every frame is given.

    Args:
        address: What the user called it.
        timeout: Seconds without data after which it is lost; ``TIMEOUT`` when left out, of a playlist
            ``PLAYLIST_PATIENCE``.
        fps: Frames a second to expect, where the stream does not say or says what is wrong.
        verify: Trust only certificates that this machine's authorities have signed.
        elsewhere: Follow redirections and playlists to other hosts and ports.
    """

    live = True

    def __init__(
        self,
        address: Uri,
        timeout: float | None = None,
        fps: float | None = None,
        verify: bool = True,
        elsewhere: bool = True,
    ) -> None:
        super().__init__(address, timeout or TIMEOUT, fps)
        self._client = WebClient(self.id, self._timeout, verify, elsewhere)
        self._playlist_timeout = timeout or PLAYLIST_PATIENCE
        self._is_playlist = False
        self._pace: tuple[float, float] | None = None

    @override
    def _wake(self) -> None:
        self._client.abort()

    @override
    def _release(self) -> None:
        self._client.close()

    @override
    def _container(self) -> InputContainer:
        import av

        self._client.wait(self._open_timeout)
        file = self._client.open(self.address.location)
        is_multipart = file.kind == "multipart/x-mixed-replace"
        self._is_playlist = not is_multipart and file.head(len(PLAYLIST)) == PLAYLIST
        form = "mpjpeg" if is_multipart else "hls" if self._is_playlist else None
        try:
            container = av.open(
                file,
                "r",
                format=form,
                options=self._options(is_multipart),
                timeout=(self._open_timeout / 2, self._playlist_timeout) if self._is_playlist else None,
                io_open=self._client.part,
            )
        except (av.FFmpegError, ValueError):
            raise self._unreadable() from None
        if self._client.problem is not None and not container.streams.video:
            container.close()
            raise self._client.problem
        self._client.wait(self._timeout)
        has_end = container.duration is not None or (file.size is not None and not self._is_playlist)
        self.live = is_multipart or not has_end
        self.longest_gap = SEGMENT if self._is_playlist and self.live else 0.0
        return container

    @override
    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        for packet in self._demuxed(container, stream):
            if self._is_playlist and self.live and packet.dts is not None and packet.time_base:
                self._keep_pace(float(packet.dts * packet.time_base))
            if self._stopped():
                return
            yield packet
        if self._stopped():
            return
        if self._client.problem is not None and not (self._is_playlist and self.packets):
            raise self._client.problem
        if self._is_playlist and not self.packets:
            raise self._unreadable()
        # FFmpeg may take a time that is over for the end of a live playlist
        if self._is_playlist and self.live and self._silent_ns() >= 0.9 * self._playlist_timeout * NS_PER_S:
            raise self._silent()
        if self.live and not self._is_playlist:
            raise SourceError(f"{self.id} was lost: the server ended the stream.", "Check the camera.")
        # containers announce counts that are a little off
        if self.packets < 0.97 * stream.frames - 3:
            raise self._damaged()

    def _demuxed(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        import av

        try:
            yield from packets_of(container, stream)
        except av.error.ExitError:
            raise self._silent() from None
        except (av.FFmpegError, ValueError):
            raise self._client.problem or self._damaged() from None

    def _keep_pace(self, seconds: float) -> None:
        """Wait until a frame of a live playlist is due."""
        now = time.monotonic()
        if self._pace is not None:
            due = self._pace[0] + seconds - self._pace[1]
            if abs(due - now) < LATE:
                self._pause(due - now)
                return
        self._pace = now, seconds

    def _options(self, is_multipart: bool) -> dict[str, str]:
        # everything is opened by the client: FFmpeg itself may open nothing
        options = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
        if is_multipart:  # one picture says all, and those that were read to learn more would be old
            options |= {"probesize": "32", "analyzeduration": "0"}
        if self._is_playlist:
            # these would have FFmpeg look for its own HTTP inside the client's files
            options |= {"http_persistent": "0", "http_multiple": "0", "seg_max_retry": "2"}
        return options

    def _unreadable(self) -> FcnEdgeError:
        if self._client.problem is not None:
            return self._client.problem
        if self._is_playlist:
            return SourceError(
                f"{self.id} is a playlist of which no part can be read.",
                "Its parts must be at plain http(s) addresses, not encrypted, and in MPEG-TS or MP4.",
            )
        return SourceError(
            f"{self.id} answers, but with no video that FFmpeg can read.",
            "Open the address in a browser: it may be a web page that only shows the stream.",
        )

    def _silent(self) -> SourceError:
        return SourceError(f"{self.id} was lost: nothing came for {self._playlist_timeout:g} s.", "Check the server.")

    def _damaged(self) -> SourceError:
        return SourceError(
            f"{self.id} ends after {self.packets} frames: it is cut off or damaged.",
            "The frames before were processed.",
        )
