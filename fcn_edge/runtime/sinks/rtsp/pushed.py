"""Overlays as a stream on another machine: RTSP, pushed to a server there."""

from __future__ import annotations

from contextlib import ExitStack

from typing_extensions import override

from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink, SinkContext
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.runtime.sinks.rtsp.push import Pusher, check_reachable
from fcn_edge.runtime.sinks.shared_video import SharedVideo, streaming_choice

__all__ = ["PushedSink"]


class PushedSink(Sink):
    """A stream that is pushed for as long as the run lasts, again and again where the far server goes.

    Args:
        address: Where to.
        context: What the stream is. Where there are several sources, whether anybody listens was asked before
            (``prepare_sink``): the others must not wait for that.

    Raises:
        MachineError: Nobody listens there, or nothing encodes H.264 here.
    """

    def __init__(self, address: RtspAddress, context: SinkContext) -> None:
        streaming_choice()
        if not context.source:
            check_reachable(address)
        self._own = ExitStack()
        self._video = context.video or self._own.enter_context(SharedVideo(context.overlay, context.fps))
        self._pusher = Pusher(address, self._video)
        self._pusher.start()

    @override
    def write(self, result: Result) -> None:
        if self._pusher.error is not None:
            raise self._pusher.error
        self._video.show(result)

    @override
    def heard(self, event: Event) -> None:
        self._video.heard(event)

    @override
    def close(self) -> None:
        self._pusher.close()
        self._own.close()
