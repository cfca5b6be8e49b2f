"""RTSP that is pushed to a real server, gst-rtsp-server in RECORD mode."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from typing_extensions import Self

from fcn_edge.errors import MachineError, UsageError
from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.runtime.sinks.rtsp import push as module
from fcn_edge.runtime.sinks.rtsp.pushed import PushedSink
from tests.waits import until

from ....servers import rtsp
from ....servers.rtsp import needs_gstreamer
from ...test_gstreamer_system import is_gone
from .test_hosted_system import Camera, is_away

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left", "server_here")]

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=25.0, live=True)
UNKNOWN = 2**64 - 1
SCRIPT = Path(rtsp.__file__).with_name("rtsp_record_server.py")


@pytest.fixture
def server_here() -> None:
    needs_gstreamer()


class Recorder:
    """The far server, in a ``with`` block.

    Args:
        out: What it appends the stream to.
        words: Further options.
    """

    def __init__(self, out: Path, *words: str) -> None:
        self.out, self._words, self.port = out, words, 0

    def start(self) -> None:
        words = [rtsp.PYTHON, str(SCRIPT), f"--out={self.out}", f"--port={self.port}", *self._words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        word, _, number = self.process.stdout.readline().partition(" ")
        assert word == "ready"
        self.port = int(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def url(self, login: str = "", path: str = "/in") -> str:
        return f"rtsp://{login}127.0.0.1:{self.port}{path}"

    @property
    def sessions(self) -> list[list[int]]:
        """Times of the access units of each session; ``UNKNOWN`` where the server has none."""
        found: list[list[int]] = []
        for line in Path(f"{self.out}.log").read_text().split():
            if line == "session":
                found.append([])
            else:
                found[-1].append(int(line))
        return found

    @property
    def times(self) -> list[int]:
        """Those of the one session that there was."""
        [times] = self.sessions
        return [time_ns for time_ns in times if time_ns != UNKNOWN]

    @property
    def units(self) -> int:
        return sum(map(len, self.sessions))

    def grays(self) -> list[Any]:
        with av.open(str(self.out), format="h264") as stream:
            return [frame.to_ndarray(format="gray") for frame in stream.decode(video=0)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(tmp_path / "in.h264") as server:
        yield server


def test_the_server_gets_the_overlays_with_times_that_grow(recorder: Recorder, make_result: MakeResult) -> None:
    with open_sink(recorder.url(), CONTEXT) as sink, Camera(make_result, sink) as camera:
        until(lambda: recorder.units > 40)
        assert camera.error is None
    times = recorder.times
    assert times == sorted(set(times))
    assert abs(float(np.median(np.diff(times))) / 1e9 - 0.04) < 0.02
    expected = [make_result(index, 120, 160).segmentation.overlay(0.5) for index in range(20)]
    levels = [float(one[:, 88:].mean()) for one in expected]
    for gray in recorder.grays()[:40]:
        assert min(abs(gray[:, 88:].mean() - level) for level in levels) < 4


def test_the_session_goes_on_while_the_camera_is_away(recorder: Recorder, make_result: MakeResult) -> None:
    with open_sink(recorder.url(), CONTEXT) as sink, Camera(make_result, sink, size=(240, 320)) as camera:
        for _ in range(5):
            before = recorder_units(recorder)
            until(lambda before=before: recorder_units(recorder) > before + 10)  # type: ignore[misc]
            camera.away = True
            sink.heard(SourceChanged("drive.mp4", "lost"))
            before = recorder_units(recorder)
            until(lambda before=before: recorder_units(recorder) > before + 3)  # type: ignore[misc]
            sink.heard(SourceChanged("drive.mp4", "live"))
            camera.away = False
    assert len(recorder.sessions) == 1
    away = [is_away(gray) for gray in recorder.grays()]
    assert sum(after and not before for before, after in itertools.pairwise(away)) == 5


def recorder_units(recorder: Recorder) -> int:
    return recorder.units if Path(f"{recorder.out}.log").exists() else 0


def test_a_server_that_dies_gets_the_stream_again(
    recorder: Recorder, make_result: MakeResult, caplog: pytest.LogCaptureFixture
) -> None:
    with open_sink(recorder.url("user:secret@"), CONTEXT) as sink, Camera(make_result, sink) as camera:
        assert isinstance(sink, PushedSink)
        for sessions in (1, 2, 3):
            until(lambda sessions=sessions: len(recorder.sessions) == sessions)  # type: ignore[misc]
            until(lambda: len(recorder.sessions[-1]) > 10)
            recorder.kill()
            given = camera.given
            until(lambda given=given: camera.given > given + 25)  # type: ignore[misc]
            recorder.start()
        until(lambda: len(recorder.sessions) == 4)
        assert camera.error is None
    assert "is lost, and is pushed to again" in caplog.text
    assert "secret" not in caplog.text


def test_a_server_that_hangs_holds_nobody_up(
    recorder: Recorder, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT", 1.0)
    noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)

    def noisy(index: int, *_: int) -> Result:
        result = make_result(index, 720, 1280)
        image = np.roll(noise, index * 7, axis=1)  # megabits a second, which no buffer of the system takes for long
        return dataclasses.replace(result, segmentation=dataclasses.replace(result.segmentation, image=image))

    with open_sink(recorder.url(), CONTEXT) as sink, Camera(noisy, sink) as camera:
        assert isinstance(sink, PushedSink)
        until(lambda: recorder_units(recorder) > 3)
        pid = sink._pusher.pid
        os.kill(recorder.process.pid, signal.SIGSTOP)
        until(lambda: sink._pusher.pid != pid)
        given = camera.given
        until(lambda: camera.given > given + 10)
        os.kill(recorder.process.pid, signal.SIGCONT)
        until(lambda: len(recorder.sessions) >= 2)
        until(lambda: len(recorder.sessions[-1]) > 3)
        assert camera.error is None


class TestRefused:
    def refusal(self, url: str, make_result: MakeResult) -> MachineError:
        with open_sink(url, CONTEXT) as sink, Camera(make_result, sink) as camera:
            until(lambda: camera.error is not None)
            assert isinstance(camera.error, MachineError)
            return camera.error

    @pytest.mark.parametrize("login", ["user:wrong@", ""])
    def test_a_wrong_password(self, tmp_path: Path, make_result: MakeResult, login: str) -> None:
        with Recorder(tmp_path / "in.h264", "--user=user", "--password=right") as recorder:
            error = self.refusal(recorder.url(login), make_result)
            assert "refuses the user or the password" in error.message
            assert "wrong" not in str(error)
            with open_sink(recorder.url("user:right@"), CONTEXT) as sink, Camera(make_result, sink):
                until(lambda: recorder_units(recorder) > 5)

    def test_another_path(self, recorder: Recorder, make_result: MakeResult) -> None:
        assert "takes no stream under this name" in self.refusal(recorder.url(path="/other"), make_result).message

    def test_what_is_no_rtsp_server(self, make_result: MakeResult) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()

            def answer() -> None:
                for _ in range(2):
                    with listening.accept()[0] as one:
                        one.recv(100)
                        one.sendall(b"SSH-2.0-x\r\n")

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            url = f"rtsp://u:secret@127.0.0.1:{listening.getsockname()[1]}/x"
            error = self.refusal(url, make_result)
            thread.join()
        assert "no RTSP server" in error.message
        assert "secret" not in str(error)


def test_kill_9_of_the_run_leaves_no_child(recorder: Recorder) -> None:
    code = (
        "import sys, time, os\n"
        "from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink\n"
        f"sink = open_sink({recorder.url()!r}, SinkContext(Overlays()))\n"
        "while sink._pusher.pid is None: time.sleep(0.01)\n"
        "print(sink._pusher.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate()
    until(lambda: is_gone(pid))


def test_the_password_is_in_no_argument(recorder: Recorder, make_result: MakeResult) -> None:
    with open_sink(recorder.url("user:s3cret-word@"), CONTEXT) as sink, Camera(make_result, sink):
        until(lambda: recorder_units(recorder) > 3)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            assert b"s3cret-word" not in words


def test_the_end_takes_no_time_where_the_server_is_gone(recorder: Recorder, make_result: MakeResult) -> None:
    with open_sink(recorder.url(), CONTEXT) as sink:
        with Camera(make_result, sink):
            until(lambda: recorder_units(recorder) > 3)
            recorder.kill()
        started = time.monotonic()
        sink.close()
        assert time.monotonic() - started < 10
    recorder.start()


def test_a_port_that_no_server_has() -> None:
    with pytest.raises(UsageError, match="the port 0"):
        open_sink("rtsp://127.0.0.1:0/x", CONTEXT)
