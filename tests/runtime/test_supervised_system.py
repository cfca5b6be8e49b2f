"""Supervision of a real RTSP camera: a server that is killed and started again, and one that stops for a while."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.runtime.sources.base import StateChange
from fcn_edge.runtime.sources.supervised import SupervisedConnection, supervised

from ..servers.rtsp import RtspServer, needs_gstreamer

pytest.importorskip("av")
pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left")]

SOON = 3.0
"""Seconds after a return in which frames flow."""
SLACK = 3.0
"""Seconds more that a busy machine may take."""


def seconds_until_a_frame(camera: SupervisedConnection, after: float) -> float:
    """Seconds from a moment to the first frame that was captured after it."""
    while time.monotonic() < after + 30:
        frame = camera.read(0.1)
        if frame is not None and frame.captured_ns / 1e9 > after:
            return frame.captured_ns / 1e9 - after
    raise AssertionError("no frame came")


def watch(camera: SupervisedConnection, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        camera.read(0.1)


def watch_until(camera: SupervisedConnection, true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        camera.read(0.1)


@pytest.mark.parametrize("options", ["", "decoder=gstreamer&timeout=2&jitter=200&fps=25"])
def test_a_camera_that_is_killed_and_started_comes_back_each_time(options: str) -> None:
    needs_gstreamer()
    rng = random.Random(5)
    changes: list[StateChange] = []
    with RtspServer(gop=25) as server:
        camera = supervised(SourceAddress.of(server.url(options=options)))
        assert isinstance(camera, SupervisedConnection)
        camera.on_change = changes.append
        with camera:
            camera.connect(10)
            seconds_until_a_frame(camera, time.monotonic())
            waits = []
            for _ in range(3):
                watch(camera, rng.uniform(3.5, 5))
                server.kill()
                watch_until(camera, lambda: camera.state == "lost")
                watch(camera, rng.uniform(0, 2))
                server.start()
                waits.append(seconds_until_a_frame(camera, time.monotonic()))
                watch_until(camera, lambda: camera.state == "live")
            assert max(waits) < SOON + SLACK, waits
            assert camera.reconnects == 3
    states = [change.state for change in changes if not change.of_grade and change.state != "waiting_for_keyframe"]
    assert states == ["connecting", *["live", "lost"] * 3, "live", "ended"]


def test_a_camera_that_stops_for_a_while_is_stalled() -> None:
    needs_gstreamer()
    changes: list[StateChange] = []
    with RtspServer(gop=25) as server:
        camera = supervised(SourceAddress.of(server.url()))
        assert isinstance(camera, SupervisedConnection)
        camera.on_change = changes.append
        with camera:
            camera.connect(10)
            watch(camera, 3)
            server.pause()
            watch_until(camera, lambda: camera.state == "stalled")
            server.resume()
            assert seconds_until_a_frame(camera, time.monotonic()) < SOON + SLACK
            watch_until(camera, lambda: camera.state == "live")
    assert "stalled" in [change.state for change in changes]
    assert camera.stalls == 1
