"""A recording of a real RTSP camera that is killed and brought back."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.runtime.events import Event, FrameDone, SourceChanged
from fcn_edge.runtime.report import Report
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.source_set import Sources
from fcn_edge.runtime.sources import open_source
from fcn_edge.testing.engine import FakeEngine
from tests.waits import until

from ...servers.rtsp import RtspServer, needs_gstreamer

pytest.importorskip("av")
pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left")]

PATIENCE = 60.0
AWAY = 5.0
"""Seconds that the camera stays away after it was noticed."""


class Recorded:
    """A run that records a camera, in a thread, with what it told."""

    def __init__(self, server: RtspServer, path: Path, **how: float) -> None:
        self.events: list[Event] = []
        self.frames: list[int] = []
        self.report: Report | None = None
        self._sources = Sources(server.url(options="name=camera"))
        self._path, self._how = path, how
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def state(self) -> str:
        return next((event.state for event in reversed(self.events) if isinstance(event, SourceChanged)), "")

    def wait(self, true: Callable[[], bool]) -> None:
        until(true, PATIENCE, told=lambda: self.events)

    def end(self) -> None:
        for name in self._sources:
            self._sources.remove(name)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with Segmenter(FakeEngine()) as segment:
            self.report = run(self._sources, segment, [str(self._path)], [self._hear], **self._how)  # type: ignore[arg-type]

    def _hear(self, event: Event) -> None:
        if isinstance(event, FrameDone):
            self.frames.append(event.result.frame.captured_ns)
        else:
            self.events.append(event)


def shown_in(path: Path) -> list[tuple[float, bool]]:
    """When each picture is shown, and whether it is the no-signal picture: gray, dark, and lit in the middle."""
    shown = []
    with open_source(path) as source:
        for frame in source:
            image = frame.image
            assert isinstance(image, np.ndarray)
            assert frame.time is not None
            height, width = image.shape[:2]
            is_gray = np.ptp(image[: height // 4].astype(int), axis=2).mean() < 8
            middle = image[height // 3 : -height // 3, width // 5 : -width // 5]
            assert not is_gray or middle.max() > 200 > image[: height // 4].max() + 60
            shown.append((frame.time, bool(is_gray)))
    return shown


def test_the_outage_of_a_killed_camera_is_in_its_place(tmp_path: Path) -> None:
    needs_gstreamer()
    with RtspServer(gop=25) as server:
        recorded = Recorded(server, tmp_path / "out.mp4")
        try:
            recorded.wait(lambda: len(recorded.frames) >= 50)
            server.kill()
            recorded.wait(lambda: recorded.state() == "lost")
            time.sleep(AWAY)
            before = len(recorded.frames)
            server.start()
            recorded.wait(lambda: recorded.state() == "live" and len(recorded.frames) >= before + 50)
        finally:
            recorded.end()
    assert recorded.report is not None
    assert recorded.report.error is None
    (sink,) = recorded.report.sinks
    (path,) = map(Path, sink.wrote)
    shown = shown_in(path)
    times = [seconds for seconds, _ in shown]
    assert times == sorted(set(times))
    groups = [[seconds for seconds, _ in group] for _, group in itertools.groupby(shown, key=lambda one: one[1])]
    assert len(groups) == 3, "the camera, no signal, the camera"
    assert len(groups[0]) + len(groups[2]) == len(recorded.frames) - sink.dropped
    assert len(groups[1]) >= 1.5 * AWAY
    assert max(after - now for now, after in itertools.pairwise(times)) < 4.0, "the outage is filled"
    duration = (recorded.frames[-1] - recorded.frames[0]) / 1e9
    assert times[-1] - times[0] == pytest.approx(duration, abs=0.5)


def test_a_series_goes_on_while_the_camera_is_away_and_after_the_run_nothing_comes(tmp_path: Path) -> None:
    needs_gstreamer()
    with RtspServer(gop=25) as server:
        recorded = Recorded(server, tmp_path / "out.mp4", segment=2.0)
        try:
            recorded.wait(lambda: len(recorded.frames) >= 25)
            server.kill()
            recorded.wait(lambda: recorded.state() == "lost")
            count = len(list(tmp_path.iterdir()))
            recorded.wait(lambda: len(list(tmp_path.iterdir())) >= count + 2)
        finally:
            recorded.end()
    files = sorted(tmp_path.iterdir())
    parts = [shown_in(path) for path in files]
    assert all(away for part in parts[-2:] for _, away in part)
    assert all(part[-1][0] < 2.5 for part in parts)
    contents = [path.read_bytes() for path in files]
    time.sleep(1.5)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == contents
