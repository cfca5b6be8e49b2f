"""RTSP that is hosted here, by the real gst-rtsp-server, as other programs open it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fcn_edge.errors import FcnEdgeError, MachineError, UsageError
from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.rtsp import server as module
from fcn_edge.runtime.sinks.rtsp.hosted import HostedSink
from fcn_edge.runtime.sinks.rtsp.server import RtspServers
from tests.waits import until

from ....servers.rtsp import needs_gstreamer
from ...test_gstreamer_system import is_gone

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left", "server_here")]

MakeResult = Callable[..., Result]
CONTEXT = SinkContext(Overlays(), fps=25.0, live=True)
TOKEN = "a token: with / and @"
PICTURES = 30


@pytest.fixture
def server_here() -> None:
    needs_gstreamer()


class Camera:
    """Gives a sink 25 results a second, in a thread, whose gray level tells their number."""

    def __init__(self, make_result: MakeResult, *sinks: Any, size: tuple[int, int] = (120, 160)) -> None:
        self._make, self._sinks = make_result, sinks
        self.size, self.given, self.away = size, 0, False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self.error: FcnEdgeError | None = None

    def _run(self) -> None:
        while not self._over.wait(0.04):
            if self.away:
                continue
            result = self._make(self.given % 20, *self.size)
            frame = dataclasses.replace(result.frame, captured_ns=time.monotonic_ns(), live=True)
            try:
                for sink in self._sinks:
                    sink.write(dataclasses.replace(result, frame=frame))
            except FcnEdgeError as error:
                self.error = error
                return
            self.given += 1

    def __enter__(self) -> Camera:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def hosted(make_result: MakeResult, context: SinkContext = CONTEXT) -> Iterator[tuple[HostedSink, Camera]]:
    with open_sink("rtsp://:0/street", context) as sink:
        assert isinstance(sink, HostedSink)
        with Camera(make_result, sink) as camera:
            yield sink, camera


def opened(url: str, transport: str = "tcp") -> Any:
    options = {"rtsp_transport": transport, "analyzeduration": "200000"}
    return av.open(url, options=options, timeout=(20, 10))


def levels(url: str, pictures: int = PICTURES, transport: str = "tcp") -> list[float]:
    """Mean gray levels of the right half of pictures, where the overlay shows the frame."""
    found = []
    with opened(url, transport) as container:
        for frame in container.decode(video=0):
            found.append(float(frame.to_ndarray(format="gray")[:, frame.width // 2 + 8 :].mean()))
            if len(found) == pictures:
                return found
    raise AssertionError("the stream ended")


def encoding() -> bool:
    return any(thread.name == "fcn-edge live video" for thread in threading.enumerate())


class Client:
    """A client that speaks for itself, and reads nothing unless it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        port = int(re.findall(r":([0-9]+)/", url)[0])
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.count = 0

    def ask(self, method: str, url: str = "", **headers: str) -> str:
        self.count += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self.count}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = self.socket.recv(4096)
            if not more:
                break
            answer += more
        return answer.decode(errors="replace")

    def play(self) -> None:
        assert " 200 " in self.ask("DESCRIBE", Accept="application/sdp")
        answer = self.ask("SETUP", f"{self.url}/stream=0", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        session = re.findall(r"Session: ([^;\r]+)", answer)[0]
        assert " 200 " in self.ask("PLAY", Session=session)

    def close(self) -> None:
        self.socket.close()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_client_sees_the_overlays_with_times_that_grow(make_result: MakeResult, transport: str) -> None:
    with hosted(make_result) as (sink, camera), opened(sink.url, transport) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 160, 120)
        pictures, times = [], []
        for frame in container.decode(video=0):
            pictures.append(frame.to_ndarray(format="bgr24"))
            times.append(frame.pts)
            if len(pictures) == PICTURES:
                break
        assert camera.error is None
    expected = [make_result(index, 120, 160).segmentation.overlay(0.5) for index in range(20)]
    # each is one of the overlays, and they follow each other
    numbers = [int(np.argmax([cv2.PSNR(picture, one) for one in expected])) for picture in pictures]
    assert min(cv2.PSNR(picture, expected[number]) for picture, number in zip(pictures, numbers, strict=True)) > 28
    steps = np.diff(numbers) % 20
    assert steps.min() >= 1
    known = [pts for pts in times if pts is not None]
    assert len(known) >= PICTURES - 2
    assert known == sorted(set(known))
    gaps = np.diff(known) / 90_000
    assert abs(float(np.median(gaps)) - 0.04) < 0.02


def test_ffmpeg_and_gstreamer_open_it(make_result: MakeResult) -> None:
    with hosted(make_result) as (sink, _):
        if shutil.which("ffmpeg"):
            words = ["ffmpeg", "-loglevel", "error", "-i", sink.url, "-frames:v", "10", "-f", "null", "-"]
            assert subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0
        if shutil.which("gst-launch-1.0"):
            chain = f"rtspsrc location={sink.url} ! rtph264depay ! avdec_h264 ! identity eos-after=10 ! fakesink"
            words = ["gst-launch-1.0", "-q", *chain.split()]
            assert subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0


def test_nothing_is_encoded_while_nobody_looks(make_result: MakeResult, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"pictures": 0, "encoders": 0}
    encode, begin = Libx264Encoder.encode, Libx264Encoder.begin

    def counted(what: str, function: Any) -> Any:
        def count(*arguments: Any) -> Any:
            counts[what] += 1
            return function(*arguments)

        return count

    monkeypatch.setattr(Libx264Encoder, "encode", counted("pictures", encode))
    monkeypatch.setattr(Libx264Encoder, "begin", counted("encoders", begin))
    with hosted(make_result) as (sink, camera):
        until(lambda: camera.given > 25)
        assert counts == {"pictures": 0, "encoders": 0}
        clients = [Client(sink.url) for _ in range(3)]
        for client in clients:
            client.play()
        before, given = counts["pictures"], camera.given
        until(lambda: camera.given >= given + 25)
        assert counts["encoders"] == 1
        assert counts["pictures"] - before <= camera.given - given + 5, (
            "as many as there are pictures, for three clients"
        )
        for client in clients:
            client.close()
        until(lambda: not encoding())
        before = counts["pictures"]
        given = camera.given
        until(lambda: camera.given >= given + 25)
        assert counts["pictures"] == before


def test_a_client_is_answered_at_once_and_the_sdp_has_the_parameter_sets(make_result: MakeResult) -> None:
    with hosted(make_result) as (sink, camera):
        until(lambda: camera.given > 2)
        client = Client(sink.url)
        answer = client.ask("DESCRIBE", Accept="application/sdp")
        while "sprop-parameter-sets" not in answer:
            more = client.socket.recv(4096).decode()
            assert more
            answer += more
        client.close()
        until(lambda: not encoding())


def test_clients_that_look_and_come_again_are_never_refused(make_result: MakeResult) -> None:
    with hosted(make_result) as (sink, camera):
        until(lambda: camera.given > 2)
        for _ in range(20):
            client = Client(sink.url)
            assert " 200 " in client.ask("DESCRIBE", Accept="application/sdp")
            client.close()
        assert len(levels(sink.url, 5)) == 5
        until(lambda: not encoding())


def test_the_source_changes_its_size(make_result: MakeResult) -> None:
    with hosted(make_result) as (sink, camera), opened(sink.url) as container:
        sizes = set()
        for count, frame in enumerate(itertools.islice(container.decode(video=0), 40)):
            sizes.add((frame.height, frame.width))
            if count == 15:
                camera.size = (200, 180)
        assert sizes == {(120, 160)}


def test_a_client_that_reads_nothing_and_one_that_dies_disturb_nobody(make_result: MakeResult) -> None:
    with hosted(make_result) as (sink, camera):
        silent, dead = Client(sink.url), Client(sink.url)
        silent.play()
        dead.play()
        dead.close()
        with opened(sink.url) as container:
            assert len(list(itertools.islice(container.decode(video=0), 100))) == 100
        assert camera.error is None
        silent.close()


def test_ten_clients_come_and_go_and_nothing_grows(make_result: MakeResult) -> None:
    with hosted(make_result) as (sink, _):
        server = sink._server

        def state() -> tuple[int, int, int]:
            folder = Path(f"/proc/{server.pid}")
            memory = int(re.findall(r"VmRSS:\s+([0-9]+)", (folder / "status").read_text())[0])
            return memory, len(list((folder / "fd").iterdir())), len(list(Path("/proc/self/fd").iterdir()))

        counts = []
        for _ in range(3):
            clients = [Client(sink.url) for _ in range(10)]
            for client in clients:
                client.play()
            time.sleep(0.3)
            for client in clients:
                client.close()
            until(lambda: not encoding())
            time.sleep(0.5)
            counts.append(state())
    assert counts[2][0] - counts[1][0] < 3000, counts
    assert abs(counts[2][1] - counts[1][1]) <= 2, counts
    assert counts[2][2] == counts[1][2], counts


def is_away(gray: Any) -> bool:
    """Whether a picture is dark and has bright words on it."""
    return float(np.median(gray)) < 80 and gray.max() > 180


class TestAway:
    """The source goes and comes, and the client stays in its session."""

    def test_no_signal_is_shown_in_the_same_session(self, make_result: MakeResult) -> None:
        with hosted(make_result) as (sink, camera):
            camera.size = (240, 320)
            until(lambda: camera.given > 2)
            with opened(sink.url) as container:
                grays = (frame.to_ndarray(format="gray") for frame in container.decode(video=0))
                for _ in range(3):
                    assert any(not is_away(gray) for gray in itertools.islice(grays, 200))
                    camera.away = True
                    sink.heard(SourceChanged("drive.mp4", "lost"))
                    assert any(is_away(gray) for gray in itertools.islice(grays, 200))
                    sink.heard(SourceChanged("drive.mp4", "live"))
                    camera.away = False
            assert camera.error is None


class TestLogin:
    @pytest.fixture
    def everywhere(self, make_result: MakeResult) -> Iterator[str]:
        """Port and path of one that is hosted for all, with a token; taken to loopback for the test."""
        context = dataclasses.replace(CONTEXT, token=TOKEN)
        with open_sink("rtsp://0.0.0.0:0/street", context) as sink, Camera(make_result, sink):
            assert isinstance(sink, HostedSink)
            yield sink.url.partition("//")[2]

    def test_who_knows_the_token_may_look(self, everywhere: str) -> None:
        quoted = TOKEN.replace(":", "%3A").replace("/", "%2F").replace("@", "%40").replace(" ", "%20")
        assert len(levels(f"rtsp://viewer:{quoted}@{everywhere}", 5)) == 5

    @pytest.mark.parametrize("login", ["viewer:wrong@", "other:wrong@", ""])
    def test_nobody_else(self, everywhere: str, login: str) -> None:
        with pytest.raises(av.error.HTTPUnauthorizedError):
            levels(f"rtsp://{login}{everywhere}", 5)

    def test_the_token_never_crosses_the_network(self, everywhere: str) -> None:
        client = Client(f"rtsp://{everywhere}")
        answer = client.ask("DESCRIBE", Accept="application/sdp")
        assert "401" in answer
        assert "Digest" in answer
        assert "Basic" not in answer
        client.close()

    def test_without_a_token_it_is_not_hosted_for_all(self) -> None:
        for host in ("0.0.0.0", "[::]"):
            with pytest.raises(UsageError, match="no token was given") as caught:
                open_sink(f"rtsp://{host}:8554/street", CONTEXT)
            assert "--token-file" in caught.value.fix

    def test_the_token_is_in_no_argument(self, everywhere: str) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            assert TOKEN.encode() not in words


class TestChild:
    def test_one_that_is_killed_is_started_again(
        self, make_result: MakeResult, caplog: pytest.LogCaptureFixture
    ) -> None:
        with hosted(make_result) as (sink, camera):
            for _ in range(2):
                assert len(levels(sink.url, 5)) == 5
                pid = sink._server.pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                until(lambda pid=pid: sink._server.pid not in (None, pid))  # type: ignore[misc]
                until(lambda: answers(sink.url))
            assert len(levels(sink.url, 5)) == 5
            assert camera.error is None
        assert "was ended by SIGKILL; it is started again" in caplog.text

    def test_one_that_dies_again_and_again_fails_the_sink(
        self, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAUSE", 0.0)
        monkeypatch.setattr(module, "RESTARTS", 2)
        with hosted(make_result) as (sink, camera):
            dead = set()
            for _ in range(3):
                until(lambda: sink._server.pid not in (None, *dead))
                pid = sink._server.pid
                assert pid is not None
                dead.add(pid)
                os.kill(pid, signal.SIGKILL)
            until(lambda: camera.error is not None)
            assert isinstance(camera.error, MachineError)
            assert "was ended by SIGKILL, for the 3th time" in camera.error.message or "3 times" in camera.error.message

    def test_one_that_hangs_holds_nobody_up(self, make_result: MakeResult) -> None:
        with hosted(make_result) as (sink, camera):
            client = Client(sink.url)
            client.play()
            pid = sink._server.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            given = camera.given
            until(lambda: camera.given >= given + 150)
            os.kill(pid, signal.SIGCONT)
            client.close()
            assert len(levels(sink.url, 5)) == 5

    def test_kill_9_of_the_run_leaves_no_child(self) -> None:
        code = (
            "import sys, time\n"
            "from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink\n"
            "sink = open_sink('rtsp://:0/x', SinkContext(Overlays()))\n"
            "print(sink._server.pid, flush=True)\n"
            "time.sleep(60)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert not is_gone(pid)
        process.kill()
        process.communicate()
        until(lambda: is_gone(pid))


def answers(url: str) -> bool:
    try:
        client = Client(url)
        found = " 200 " in client.ask("OPTIONS")
        client.close()
    except OSError:
        return False
    return found


class TestSeveral:
    def test_one_child_serves_all_mounts_of_a_run(self, make_result: MakeResult) -> None:
        with RtspServers() as servers:
            context = dataclasses.replace(CONTEXT, servers=servers)
            with open_sink("rtsp://:0/a", context) as first, open_sink("rtsp://:0/b", context) as second:
                assert isinstance(first, HostedSink)
                assert isinstance(second, HostedSink)
                assert first._server is second._server
                with Camera(make_result, first), Camera(make_result, second, size=(60, 80)):
                    for sink, width in ((first, 160), (second, 80)):
                        with opened(sink.url) as container:
                            assert container.streams.video[0].width == width
                with pytest.raises(UsageError, match="hosted for another source or sink already"):
                    open_sink("rtsp://:0/a", context)
            with open_sink("rtsp://:0/a", context):
                pass

    def test_a_mount_that_goes_sends_its_clients_away(self, make_result: MakeResult) -> None:
        with RtspServers() as servers:
            sink = open_sink("rtsp://:0/a", dataclasses.replace(CONTEXT, servers=servers))
            assert isinstance(sink, HostedSink)
            with Camera(make_result, sink), opened(sink.url) as container:
                frames = container.decode(video=0)
                next(frames)
                sink.close()
                assert len(list(frames)) < 50
            with pytest.raises(av.error.HTTPNotFoundError):
                opened(sink.url)

    def test_a_taken_port_is_told_in_a_sentence(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(MachineError, match=f"another program listens on port {port} already"):
                open_sink(f"rtsp://:{port}/x", CONTEXT)


class TestMissing:
    @pytest.fixture
    def played(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
        """A child that says what keeps it from serving."""

        def play(message: dict[str, Any]) -> None:
            program = tmp_path / "child.py"
            line = f"{json.dumps(message)}\n".encode()
            program.write_text(f"import os, sys\nos.write(int(sys.argv[1]), {line!r})\n")
            played = partial(module.RtspServer, python=sys.executable, program=program)
            monkeypatch.setattr(module, "RtspServer", played)

        return play

    @pytest.mark.parametrize(
        "message",
        [{"kind": "no_gi"}, {"kind": "no_server"}, {"kind": "missing", "elements": ["rtph264pay"]}],
    )
    def test_the_packages_are_named(self, played: Callable[[dict[str, Any]], None], message: dict[str, Any]) -> None:
        played(message)
        with pytest.raises(MachineError) as caught:
            open_sink("rtsp://:0/x", CONTEXT)
        assert caught.value.exit_code == 6
        assert caught.value.fix.startswith("sudo apt-get install ")
        assert "gir1.2-gst-rtsp-server-1.0" in caught.value.fix

    def test_no_python(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "RtspServer", partial(module.RtspServer, python="/nowhere/python3"))
        with pytest.raises(MachineError, match="is not here or does not start"):
            open_sink("rtsp://:0/x", CONTEXT)
