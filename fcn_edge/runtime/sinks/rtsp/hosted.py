"""Overlays as a stream that other programs open: RTSP, hosted here."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack

from typing_extensions import override

from fcn_edge.runtime.events import Event
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.base import Sink, SinkContext
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.runtime.sinks.rtsp.server import Mount, RtspServers
from fcn_edge.runtime.sinks.shared_video import SharedVideo, Subscription, streaming_choice

__all__ = ["HostedSink"]

_LOG = logging.getLogger(__name__)


class HostedSink(Sink):
    """One address of an RTSP server of this machine. Nothing is encoded while nobody looks.

    Args:
        address: Where it is to be had.
        context: What the stream is.

    Attributes:
        url: The address under which it can be opened on this machine.

    Raises:
        UsageError: Other machines could look, and there is no token.
        MachineError: The machine lacks what it needs, or the port is taken.
    """

    def __init__(self, address: RtspAddress, context: SinkContext) -> None:
        streaming_choice()
        self._own = ExitStack()
        self._lock = threading.Lock()
        self._closed = False
        self._subscription: Subscription | None = None
        with self._own:
            self._video = context.video or self._own.enter_context(SharedVideo(context.overlay, context.fps))
            servers = context.servers or self._own.enter_context(RtspServers(context.token))
            self._server = servers.at(address)
            self._mount = self._server.mount(address.path, self._looked_at)
            self._own = self._own.pop_all()
        self.url = address.url(self._server.port)
        _LOG.info("RTSP: %s", self.url)

    @override
    def write(self, result: Result) -> None:
        if self._server.error is not None:
            raise self._server.error
        self._video.show(result)

    @override
    def heard(self, event: Event) -> None:
        self._video.heard(event)

    @override
    def close(self) -> None:
        self._mount.close()
        with self._lock:
            self._closed = True
        self._looked_at(self._mount, False)
        self._own.close()

    def _looked_at(self, mount: Mount, by_somebody: bool) -> None:
        """The first client has come, or the last one has left; called in a thread of the server's too.

        That may be before ``self._mount`` is set: who waits for the address opens it as soon as it is there.
        """
        with self._lock:
            subscription, self._subscription = self._subscription, None
            if subscription is not None:
                subscription.end()
            if by_somebody and not self._closed:
                self._subscription = self._video.subscribe(mount.send)
