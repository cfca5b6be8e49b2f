"""Whole runs whose camera is killed again and again, while other programs look at them."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av")

from fcn_edge.errors import FcnEdgeError, MachineError, UsageError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import Sink
from fcn_edge.runtime.sinks.encoders.base import VideoBegin
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.testing.engine import FakeEngine
from tests.waits import until

from ....servers.rtsp import RtspServer, needs_gstreamer
from ...test_gstreamer_system import is_gone
from .test_hosted_system import Client, answers, is_away, opened
from .test_push_system import Recorder, recorder_units

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left", "server_here")]

KILLS = 5


@pytest.fixture
def server_here() -> None:
    needs_gstreamer()


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Ender(Sink):
    """Ends the run when it is told to."""

    def write(self, result: Result) -> None:
        pass


@contextmanager
def running(sources: list[str], sinks: list[str]) -> Iterator[None]:
    """A run in a thread, which is over when the block is."""
    ender = Ender()
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with Segmenter(FakeEngine()) as segment:
                run(sources, segment, [*sinks, ender])
        except FcnEdgeError as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ender.ended = True
        thread.join(60)
    assert not thread.is_alive()
    assert not errors, errors


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The encoders that began a video."""
    found: list[Any] = []
    begin = Libx264Encoder.begin

    def noted(self: Libx264Encoder, video: VideoBegin) -> None:
        found.append(self)
        begin(self, video)

    monkeypatch.setattr(Libx264Encoder, "begin", noted)
    return found


@pytest.mark.parametrize("with_file", [False, True])
def test_a_client_stays_in_one_session_over_five_kills_of_the_camera(
    tmp_path: Path, port: int, begun: list[Any], with_file: bool
) -> None:
    url, path = f"rtsp://127.0.0.1:{port}/street", tmp_path / "out.mp4"
    sinks = [f"rtsp://:{port}/street", *[str(path)] * with_file]
    with RtspServer(gop=10) as server:
        address = server.url(options="timeout=1")
        with running([address], sinks):
            until(lambda: describes(url))
            with opened(url) as container:
                frames = container.decode(video=0)
                times: list[int | None] = []

                def sees(away: bool) -> bool:
                    frame = next(frames)
                    times.append(frame.pts)
                    return is_away(frame.to_ndarray(format="gray")) == away

                until(lambda: sees(away=False))
                encoders = len(begun)
                for _ in range(KILLS):
                    until(lambda: sees(away=False))
                    server.kill()
                    until(lambda: sees(away=True))
                    server.start()
                until(lambda: sees(away=False))
    known = [pts for pts in times if pts is not None]
    assert known == sorted(set(known))
    assert len(begun) == encoders, "the same encode goes on"
    assert not with_file or encoders == 1, "the file's is the one for all"


def test_a_push_goes_on_in_one_session_beside_a_client(tmp_path: Path, port: int, begun: list[Any]) -> None:
    url = f"rtsp://127.0.0.1:{port}/street"
    with RtspServer(gop=10) as server, Recorder(tmp_path / "in.h264") as recorder:
        with running([server.url(options="timeout=1")], [f"rtsp://:{port}/street", recorder.url()]):
            until(lambda: recorder_units(recorder) > 20)
            with opened(url) as container:
                frames = container.decode(video=0)
                for _ in range(2):
                    server.kill()
                    until(lambda: is_away(next(frames).to_ndarray(format="gray")))
                    server.start()
                    until(lambda: not is_away(next(frames).to_ndarray(format="gray")))
        assert recorder.times == sorted(set(recorder.times))
        grays = [is_away(gray) for gray in recorder.grays()]
        assert sum(after and not before for before, after in itertools.pairwise(grays)) == 2
    assert len(begun) == 1, "for the client and the far server"


def test_each_source_has_a_mount_of_its_own(port: int) -> None:
    with RtspServer() as front, RtspServer(size="120x320") as rear:
        sources = [front.url(options="name=front"), rear.url(options="name=rear")]
        with running(sources, [f"rtsp://:{port}/street"]):
            for name, height in (("front", 240), ("rear", 120)):
                url = f"rtsp://127.0.0.1:{port}/street-{name}"
                until(lambda url=url: describes(url))  # type: ignore[misc]
                with opened(url) as container:
                    assert container.streams.video[0].height == height


def describes(url: str) -> bool:
    if not answers(url):
        return False
    client = Client(url)
    found = " 200 " in client.ask("DESCRIBE", Accept="application/sdp")
    client.close()
    return found


def test_what_is_wrong_is_said_before_the_first_frame(port: int) -> None:
    with RtspServer() as front, RtspServer() as rear, Segmenter(FakeEngine()) as segment:
        sources = [front.url(options="name=front"), rear.url(options="name=rear")]
        for given in (sources, sources[:1]):
            with pytest.raises(UsageError, match="no token was given"):
                run(given, segment, [f"rtsp://0.0.0.0:{port}/street"], frames=3)
            with pytest.raises(MachineError, match="nothing listens on its port"):
                run(given, segment, [f"rtsp://127.0.0.1:{port}/street"], frames=3)
            assert run(given, segment, [f"rtsp://0.0.0.0:{port}/street"], frames=3, token="secret").frames == 3


CODE = """
import sys
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.testing.engine import FakeEngine
if __name__ == "__main__":
    run(sys.argv[1], Segmenter(FakeEngine()), sys.argv[2:])
"""


def test_kill_9_of_a_run_leaves_no_child(tmp_path: Path, port: int) -> None:
    with RtspServer() as server, Recorder(tmp_path / "in.h264") as recorder:
        words = [sys.executable, "-c", CODE, server.url(), f"rtsp://:{port}/street", recorder.url()]
        process = subprocess.Popen(words)
        try:
            until(lambda: recorder_units(recorder) > 5)
            children = [
                int(pid)
                for task in Path(f"/proc/{process.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()
            ]
            assert len(children) == 2
        finally:
            process.kill()
            process.wait()
        until(lambda: all(is_gone(pid) for pid in children))
