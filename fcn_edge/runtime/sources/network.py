"""Streams that come over a network and are decoded by PyAV: what RTSP and HTTP sources share."""

from __future__ import annotations

import queue
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from fcn_edge.errors import FcnEdgeError, SourceError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.sources.base import SLICE, Connection, EndOfSource, Picture, State
from fcn_edge.runtime.sources.bgr import BgrConverter
from fcn_edge.runtime.sources.decoding import Decoder, quiet_av
from fcn_edge.runtime.sources.timeline import Arrival, Timeline
from fcn_edge.runtime.uri import Uri
from fcn_edge.runtime.waiting import item_within
from fcn_edge.text import quoted

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["CONNECT_TIMEOUT", "TIMEOUT", "NetworkConnection"]

CONNECT_TIMEOUT = 10.0
"""Seconds to connect."""
TIMEOUT = 5.0
"""Seconds without a packet after which a source is lost."""
STALLED_NS = NS_PER_S
"""Without a packet for this long, or for five frames, a source is stalled."""
CLOSE_TIMEOUT = 1.0
"""Seconds that closing waits for the thread; where FFmpeg keeps it longer, it lets go by itself in its own time."""
WAITING = 2
"""Frames of a file that wait to be taken."""


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A decoded frame and its times; it becomes an image when somebody takes it."""

    frame: VideoFrame
    index: int
    time: float | None
    arrival: Arrival


class NetworkConnection(Connection):
    """A video over a network. A thread of its own opens it, reads packets and decodes them; others wait for it.

    A new kind overrides ``_container`` and ``_packets``, and calls ``_stopped`` in whatever it waits for.

    Args:
        address: What the user called it.
        timeout: Seconds without a packet after which it is lost; it is ``stalled`` from one second on.
        fps: Frames a second to expect, where the stream does not say or says what is wrong.

    Attributes:
        packets: Packets of the video that came.
    """

    def __init__(self, address: Uri, timeout: float = TIMEOUT, fps: float | None = None) -> None:
        super().__init__(address)
        self.packets = 0
        self._timeout = timeout
        self._asked_fps = fps
        self._decoder: Decoder | None = None
        self._converter: BgrConverter | None = None
        self._frames: Channel[_Decoded] = Channel(1, newest=True)
        self._connected: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._packet_ns = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fcn-edge network", daemon=True)
        self._open_timeout = CONNECT_TIMEOUT

    @property
    @override
    def dropped(self) -> int:
        return self._frames.dropped

    @property
    @override
    def damaged(self) -> int:
        """Packets that could not be decoded, and pictures that were left out as damaged."""
        return 0 if self._decoder is None else self._decoder.errors

    @override
    def close(self) -> None:
        again, self._closed = self._closed, True
        self._frames.stop()
        self._wake()
        if self._thread.ident is not None and not again:  # what did not end then is waited for no second time
            self._thread.join(CLOSE_TIMEOUT)
        super().close()

    @override
    def interrupt(self) -> None:
        super().interrupt()
        self._wake()

    @override
    def _connect(self, timeout: float | None) -> None:
        quiet_av()
        self._open_timeout = CONNECT_TIMEOUT if timeout is None else timeout
        self._thread.start()
        # the thread's own answer says more than that there was none
        until = time.monotonic() + self._open_timeout + SLICE
        while not self._interrupted and time.monotonic() < until:
            with suppress(queue.Empty):
                answer = item_within(self._connected, SLICE)
                if self._interrupted:
                    break
                if answer is not None:
                    raise answer
                self.state = self._condition()
                return
        if self._interrupted:
            raise SourceError(f"Connecting to {self.id} was interrupted.")
        raise SourceError(
            f"{self.id} did not answer within {self._open_timeout:g} s.", "Check its address, power and the network."
        )

    @override
    def _next(self, timeout: float) -> Picture | None:
        try:
            decoded = self._frames.take(timeout)
        except queue.Empty:
            self.state = self._condition()
            return None
        if decoded is None:
            raise EndOfSource
        self.state = "live"
        image = self._image_of(decoded.frame)
        if self.size is None:
            self.size = image.shape[0], image.shape[1]
        return Picture(
            image,
            time=decoded.time,
            index=decoded.index,
            captured_ns=decoded.arrival.captured_ns if self.live else None,
            captured_unix_ns=decoded.arrival.unix_ns if self.live else None,
            camera_time_ns=decoded.arrival.camera_ns,
        )

    def _image_of(self, frame: VideoFrame) -> NDArray[np.uint8]:
        import av

        if self._converter is None:
            self._converter = BgrConverter()
        try:
            return self._converter(frame)
        except (av.FFmpegError, ValueError):
            raise SourceError(
                f"A frame of {self.id} in the format {frame.format.name} cannot be converted to BGR.",
                "Set the camera or the encoder to 8-bit YUV 4:2:0.",
            ) from None

    @abstractmethod
    def _container(self) -> InputContainer:
        """Open it, within ``_open_timeout`` seconds.

        Raises:
            SourceError: It cannot be opened.
        """

    @abstractmethod
    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        """Packets of the video until ``_stopped`` or the end.

        Raises:
            SourceError: The source was lost.
        """

    def _wake(self) -> None:
        """Make the thread's waiting end soon; where it waits in slices, there is nothing to do."""

    def _release(self) -> None:
        """Give back what ``_container`` opened beside the container; in the thread, at its end."""

    def _stopped(self) -> bool:
        """Nobody wants more."""
        return self._closed or self._interrupted

    def _pause(self, seconds: float) -> None:
        """Wait, unless it is stopped."""
        until = time.monotonic() + seconds
        while not self._stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(SLICE, left))

    def _silent_ns(self) -> int:
        """Nanoseconds since the last packet came."""
        return time.monotonic_ns() - self._packet_ns

    def _condition(self) -> State:
        """What it does while no frame comes."""
        patience = max(STALLED_NS, round(5 * NS_PER_S / self.fps) if self.fps else 0)
        if self.live and self._silent_ns() > min(patience, self._timeout * NS_PER_S / 2):
            return "stalled"
        if self._decoder is not None and self._decoder.waiting:
            return "waiting_for_keyframe"
        return "live"

    def _run(self) -> None:
        """The thread: open, decode until nobody wants more, close."""
        container: InputContainer | None = None
        try:
            container = self._container()
            stream = self._video_of(container)
            self._decoder = Decoder(stream, self.live)
            if not self.live:
                self._frames = Channel(WAITING)
            self._packet_ns = time.monotonic_ns()
            self._connected.put(None)
            if self._closed:  # it was while the channel was made anew
                self._frames.stop()
            self._decode(container, stream, self._decoder)
            self._frames.end()
        except Exception as error:
            self._connected.put(error)
            self._frames.end(error)
        finally:
            # by this thread and no other: FFmpeg may be inside
            if container is not None:
                container.close()
            self._release()

    def _video_of(self, container: InputContainer) -> VideoStream:
        from av.stream import Discard

        if not container.streams.video:
            raise SourceError(f"{self.id} has no video in it.", f"See what it has with: ffprobe {quoted(self.id)}")
        # the largest, of a playlist with several; before the first picture no size may be known
        stream = max(container.streams.video, key=_rows_of)
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all  # or it would be fetched all the same
        if stream.codec_context is None:
            raise SourceError(f"FFmpeg cannot decode the video of {self.id}.", "Set the camera to H.264.")
        told = stream.average_rate or stream.guessed_rate
        self.fps = self._asked_fps or (float(told) if told and 0 < told < 1000 else None)
        context = stream.codec_context
        self.size = (context.height, context.width) if context.height and context.width else None
        if not self.live:
            self.length = stream.frames or None
        return stream

    def _decode(self, container: InputContainer, stream: VideoStream, decoder: Decoder) -> None:
        timeline = Timeline(self.live)
        newest = Arrival(time.monotonic_ns(), time.time_ns())
        count = 0

        def given(frames: list[VideoFrame]) -> bool:
            """Hand frames over; False when nobody wants them."""
            nonlocal count
            for frame in frames:
                self.keyframes = (self.keyframes or 0) + bool(frame.key_frame)
                arrival = timeline.arrival_of(frame.pts, newest)
                seconds = timeline.seconds_of(frame.pts, frame.time_base, arrival.captured_ns)
                if not self._frames.put(_Decoded(frame, count, seconds, arrival)):
                    return False
                count += 1
            return True

        try:
            for packet in self._packets(container, stream):
                if packet.size:
                    self._packet_ns = time.monotonic_ns()
                    self.packets += 1
                    newest = timeline.arrived(packet, self._packet_ns, time.time_ns())
                if not given(decoder.frames_of(packet)):
                    return
        except FcnEdgeError:
            given(decoder.frames_of(None))
            raise
        if not count and not self.live:
            raise SourceError(
                f"{self.id} holds no frame that can be decoded.", f"See what it holds with: ffprobe {quoted(self.id)}"
            )


def _rows_of(stream: VideoStream) -> int:
    return 0 if stream.codec_context is None else stream.codec_context.height
