"""Connections to the real GStreamer of this machine, and to an RTSP server of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fcn_edge.errors import MachineError, SourceError
from fcn_edge.runtime.sources import SourceAddress, open_source
from fcn_edge.runtime.sources.gstreamer import GStreamerConnection, gstreamer_rtsp
from fcn_edge.runtime.sources.gstreamer_pipelines import csi_pipeline
from fcn_edge.runtime.uri import Uri
from fcn_edge.system.gstreamer import SYSTEM_PYTHON
from tests.waits import until

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left", "gstreamer")]

SERVER = Path(__file__).with_name("gstreamer_rtsp_server.py")
TEST = "gst://videotestsrc is-live=true"
LONGEST = 60.0
"""Seconds that anything here may take on a busy machine."""

Serve = Callable[..., "Server"]


@pytest.fixture(scope="module")
def gstreamer() -> None:
    """Skips where the system's Python has no GStreamer."""
    binding = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer"
    try:
        subprocess.run([SYSTEM_PYTHON, "-c", binding], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs python3-gi and gir1.2-gst-rtsp-server-1.0")


class Server:
    """An RTSP server in a process of its own."""

    def __init__(self, *user: str) -> None:
        self.process = subprocess.Popen([SYSTEM_PYTHON, str(SERVER), *user], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def address(self, path: str = "h264", user: str = "") -> str:
        return f"rtsp://{user}127.0.0.1:{self.port}/{path}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(*user: str) -> Server:
        servers.append(Server(*user))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def pid_of(source: object) -> int:
    assert isinstance(source, GStreamerConnection)
    assert source._process is not None
    return source._process._process.pid


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that another one has to collect counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_live_pipeline() -> None:
    text = f"{TEST} pattern=solid-color foreground-color=0xffff0000 ! video/x-raw,width=321,height=240,framerate=25/1"
    before = time.monotonic_ns()
    with open_source(text) as source:
        assert (source.live, source.fps, source.size) == (True, 25.0, (240, 321))
        first, second = next(source), next(source)
        assert before < first.captured_ns < second.captured_ns < time.monotonic_ns()
        assert (first.time, second.time) == (0.0, pytest.approx(0.04 * second.index, abs=1e-3))
        assert first.camera_time_ns is None
    blue, green, red = np.asarray(first.image).reshape(-1, 3).T.astype(int)
    assert max(blue.max(), green.max()) < 10 < 245 < red.min(), "rows of 963 bytes are padded to 964"
    assert source.state == "ended"


def test_a_slow_reader_gets_the_newest_frame() -> None:
    with open_source(f"{TEST} ! video/x-raw,framerate=100/1") as source:
        next(source)
        time.sleep(0.5)
        after = time.monotonic_ns() - 250_000_000
        frame = next(source)
        assert frame.captured_ns > after
        assert frame.index > 5
        assert source.dropped == frame.index - 1


def test_every_frame_of_a_file_with_its_time(video: Path) -> None:
    capture = cv2.VideoCapture(str(video))
    with open_source(f"gst://filesrc location={video} ! decodebin") as source:
        assert (source.live, source.size, source.fps) == (False, (48, 64), 12.5)
        for index, frame in enumerate(source):
            there, image = capture.read()
            assert there
            assert frame.index == index
            assert frame.time == pytest.approx(0.08 * index)
            assert np.abs(np.asarray(frame.image).astype(int) - image.astype(int)).max() <= 3
    assert not capture.read()[0]
    capture.release()


def test_an_appsink_of_the_users_own(video: Path) -> None:
    text = f"gst://filesrc location={video} ! decodebin ! videoconvert ! video/x-raw,format=BGR ! appsink sync=false"
    with open_source(text) as source:
        assert sum(1 for _ in source) == 20
    with pytest.raises(SourceError, match="gives GRAY8; BGR was expected"):
        open_source("gst://videotestsrc ! video/x-raw,format=GRAY8 ! appsink")


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        ("gst://no-such-element ! x", "needs the GStreamer element no-such-element", 6),
        ("gst://videotestsrc is-lively=true", "gives videotestsrc a property", 2),
        ("gst://videotestsrc pattern=nice", "gives a property of videotestsrc a value", 2),
        ("gst://videotestsrc ! ! x", "mistake in its syntax", 2),
        ("gst://", "is empty", 2),
        ("gst://audiotestsrc", "links two elements that do not fit", 2),
        ("gst://filesrc location=/no/such.mp4 ! decodebin", "no such stream, file or device", 5),
        ("gst://videotestsrc num-buffers=0", "ended before its first frame", 5),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(text: str, says: str, code: int) -> None:
    with pytest.raises(Exception, match=re.escape(says)) as caught:
        open_source(text)
    assert getattr(caught.value, "exit_code", None) == code
    assert getattr(caught.value, "fix", "")


def test_a_damaged_file(video: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(video.read_bytes()[:200])
    with pytest.raises(SourceError):
        open_source(f"gst://filesrc location={damaged} ! decodebin")


@pytest.mark.skipif(Path("/etc/nv_tegra_release").exists(), reason="this is a Jetson")
def test_a_csi_camera_on_a_machine_that_is_no_jetson() -> None:
    with pytest.raises(MachineError, match="nvarguscamerasrc, which is not here: it needs a Jetson") as caught:
        open_source("csi://0")
    assert caught.value.exit_code == 6


def test_the_chain_of_a_csi_camera_with_stand_ins() -> None:
    """The elements that a board alone has are replaced by some that every machine has; the rest is as it is there."""
    pipeline = csi_pipeline(0, (240, 320), 25, "rotate-180")
    text = json.dumps(pipeline).replace("(memory:NVMM)", "")
    for board, everywhere in (("nvarguscamerasrc", "videotestsrc"), ("nvvidconv", "videoconvert")):
        assert board in text
        text = text.replace(board, everywhere)
    with GStreamerConnection(Uri.parse("csi://0"), json.loads(text), endless=True) as source:
        source.connect()
        assert (source.live, source.fps, source.size) == (True, 25.0, (240, 320))
        assert len({next(source).index for _ in range(5)}) == 5


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_a_child_that_dies_is_a_lost_source(name: str) -> None:
    with open_source(TEST) as source:
        next(source)
        os.kill(pid_of(source), getattr(signal, name))
        with pytest.raises(SourceError, match=f"was ended by {name}"):
            list(source)
        assert source.state == "lost"


def test_a_child_that_hangs_is_stalled_lost_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.runtime.sources.gstreamer.READ_TIMEOUT", 2.5)
    with open_source(TEST) as source:
        next(source)
        os.kill(pid_of(source), signal.SIGSTOP)
        until(lambda: source.read(0.1) is None and source.state == "stalled")
        with pytest.raises(SourceError, match="no frame came"):
            list(source)
    assert is_gone(pid_of(source))


def test_the_child_ends_with_its_parent() -> None:
    program = (
        "import sys; from fcn_edge.runtime.sources import open_source; source = open_source(sys.argv[1]); "
        "print(source._process._process.pid, flush=True); [None for _ in source]"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, TEST], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not is_gone(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: is_gone(pid))


def test_two_hundred_times_leave_nothing_behind() -> None:
    def left() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    with open_source(TEST) as source:
        next(source)
    before, pids = left(), []
    for _ in range(200):
        with open_source(TEST) as source:
            next(source)
            pids.append(pid_of(source))
    assert left() == before
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()], "they are zombies"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_network_camera(serve: Serve, transport: str) -> None:
    server = serve()
    with gstreamer_rtsp(SourceAddress.of(server.address()), transport=transport) as source:  # type: ignore[arg-type]
        source.connect()
        assert (source.live, source.size, source.fps) == (True, (240, 320), 25.0)
        images = [np.asarray(next(source).image) for _ in range(10)]
        assert images[0].max() > 200, "a white ball"
        assert any((images[0] != image).any() for image in images), "that moves"


def test_a_network_camera_tells_its_own_time(serve: Serve) -> None:
    with gstreamer_rtsp(SourceAddress.of(serve().address())) as source:
        source.connect()
        for frame in source:
            if frame.camera_time_ns is not None:
                break
            if frame.time is not None and frame.time > LONGEST:
                pytest.fail("no sender report came")
        assert abs(frame.captured_unix_ns - frame.camera_time_ns) < 5e9, "one machine, one clock"


def test_an_address_with_its_decoder(serve: Serve) -> None:
    with open_source(f"{serve().address()}#decoder=gstreamer&transport=tcp&flip=clockwise") as source:
        assert np.asarray(next(source).image).shape == (320, 240, 3)


def test_a_stream_that_is_joined_between_keyframes_shows_no_gray(serve: Serve) -> None:
    server = serve()
    addresses = [SourceAddress.of(server.address()) for _ in range(4)]
    with gstreamer_rtsp(addresses[0]) as source:  # keeps the shared encoder running: a keyframe comes every two seconds
        source.connect()
        for address in addresses[1:]:
            with gstreamer_rtsp(address) as joined:
                joined.connect()
                image = np.asarray(next(joined).image)
                assert image.max() > 200
                assert np.median(image) < 20, "a white ball on black"


def test_sound_is_left_out(serve: Serve) -> None:
    server = serve()
    with gstreamer_rtsp(SourceAddress.of(server.address("h264-with-sound"))) as source:
        source.connect()
        next(source)
    with pytest.raises(SourceError, match="no video"):
        gstreamer_rtsp(SourceAddress.of(server.address("sound"))).connect()


def test_motion_jpeg_over_rtsp(serve: Serve) -> None:
    with gstreamer_rtsp(SourceAddress.of(serve().address("jpeg"))) as source:
        source.connect()
        assert source.size == (240, 320)


def test_user_and_password(serve: Serve) -> None:
    server = serve("me", "p@s s/w!rd")
    right = SourceAddress.of(server.address(user="me:p%40s%20s%2Fw!rd@"))
    with gstreamer_rtsp(right) as source:
        source.connect()
        next(source)
        for file in ("cmdline", "environ"):
            assert b"w!rd" not in Path(f"/proc/{pid_of(source)}/{file}").read_bytes()
    for user in ("", "me:wr0ng@"):
        with pytest.raises(SourceError, match="refuses user and password") as caught:
            gstreamer_rtsp(SourceAddress.of(server.address(user=user))).connect()
        assert "wr0ng" not in "".join(traceback.format_exception(caught.value))


def test_an_address_is_no_pipeline(serve: Serve, tmp_path: Path) -> None:
    written = tmp_path / "written"
    with pytest.raises(SourceError):
        gstreamer_rtsp(SourceAddress.of(serve().address(f"h264 ! filesink location={written}"))).connect()
    assert not written.exists()


def test_what_is_not_served(serve: Serve) -> None:
    server = serve()
    with pytest.raises(SourceError, match="no such stream"):
        gstreamer_rtsp(SourceAddress.of(server.address("nothing"))).connect()
    server.end()
    with pytest.raises(SourceError, match="cannot be reached"):
        gstreamer_rtsp(SourceAddress.of(server.address())).connect()


@pytest.mark.skipif(Path("/etc/nv_tegra_release").exists(), reason="this is a Jetson")
def test_the_boards_decoder_is_not_here(serve: Serve) -> None:
    with pytest.raises(MachineError, match="nvv4l2decoder, which is not here"):
        gstreamer_rtsp(SourceAddress.of(serve().address()), "nvv4l2decoder").connect()


def test_a_server_that_goes_is_a_lost_source(serve: Serve) -> None:
    server = serve()
    with gstreamer_rtsp(SourceAddress.of(server.address()), timeout=5) as source:
        source.connect()
        next(source)
        server.process.kill()
        with pytest.raises(SourceError, match="was lost"):
            list(source)
        assert source.state == "lost"
