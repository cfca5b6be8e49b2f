"""The hosted sink over a server of the test's own, without GStreamer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from fcn_edge.runtime.sinks import Overlays
from fcn_edge.runtime.sinks.base import SinkContext
from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.rtsp.address import RtspAddress
from fcn_edge.runtime.sinks.rtsp.hosted import HostedSink
from fcn_edge.runtime.sinks.rtsp.server import RtspServers
from fcn_edge.runtime.sinks.shared_video import SharedVideo

from .test_address import address

LookedAt = Callable[[Any, bool], None]
Take = Callable[[AccessUnit, int], None]


class FakeMount:
    """Notes whether it is still there."""

    there = True

    def send(self, unit: AccessUnit, time_ns: int) -> None:
        """Take a unit."""

    def close(self) -> None:
        self.there = False


class FakeServer:
    """Serves one mount, which a client opens before the sink that asked for it has it, as a quick one does."""

    port = 8554
    error = None

    def at(self, address: RtspAddress) -> FakeServer:
        return self

    def mount(self, path: str, looked_at: LookedAt) -> FakeMount:
        self.only, self.looked_at = FakeMount(), looked_at
        looked_at(self.only, True)
        return self.only


class FakeVideo:
    """Knows who takes it."""

    def __init__(self) -> None:
        self.takers: list[Take] = []

    def subscribe(self, take: Take) -> FakeSubscription:
        self.takers.append(take)
        return FakeSubscription(self, take)


class FakeSubscription:
    def __init__(self, video: FakeVideo, take: Take) -> None:
        self._video, self._take = video, take

    def end(self) -> None:
        self._video.takers.remove(self._take)


def test_a_client_that_is_there_before_the_sink_knows_its_mount() -> None:
    server, video = FakeServer(), FakeVideo()
    context = SinkContext(Overlays(), video=cast("SharedVideo", video), servers=cast("RtspServers", server))
    with HostedSink(address("rtsp://:8554/street"), context):
        assert video.takers == [server.only.send]
        server.looked_at(server.only, False)
        assert not video.takers
        server.looked_at(server.only, True)
        assert video.takers == [server.only.send]
    assert not server.only.there
    assert not video.takers, "given back when it is closed"
    server.looked_at(server.only, True)
    assert not video.takers, "nobody can look at what is closed"
