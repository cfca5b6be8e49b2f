"""Against gst-rtsp-server, as a process of its own."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from fcn_edge.errors import SourceError
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sources import Connection, SourceAddress, open_source
from fcn_edge.runtime.sources.rtsp import RtspConnection

from ...servers.frame_numbers import number_of
from ...servers.rtsp import RtspServer, needs_gstreamer

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left")]

FRAME_NS = 40_000_000
LOOP = 250


@pytest.fixture(scope="module", autouse=True)
def gstreamer() -> None:
    needs_gstreamer()


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """A camera of 320x240 at 25 frames a second that is left as it is."""
    with RtspServer(tmp_path_factory.mktemp("camera") / "log") as server:
        yield server


def frames_of(source: Connection, count: int) -> list[Frame]:
    return [frame for frame, _ in zip(source, range(count), strict=False)]


def wait_for(source: Connection, state: str, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while source.state != state:
        assert time.monotonic() < until, f"{source.state} in place of {state}"
        source.read(0.05)


class TestCamera:
    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_gives_whole_numbered_frames_with_their_times(self, camera: RtspServer, transport: str) -> None:
        with open_source(camera.url(options=f"transport={transport}")) as source:
            assert isinstance(source, RtspConnection)
            assert (source.live, source.fps, source.size, source.length) == (True, 25.0, (240, 320), None)
            frames = frames_of(source, 60)
            assert source.state == "live"
            assert source.damaged == 0
            assert source.packets >= 60
        numbers = [number_of(frame.image) for frame in frames]
        assert None not in numbers
        steps = [(b - a) % LOOP for a, b in pairwise(numbers)]  # type: ignore[operator]
        assert steps == [b.index - a.index for a, b in pairwise(frames)]
        assert frames[0].time == 0
        lasted = frames[-1].index - frames[0].index
        assert frames[-1].time == pytest.approx(lasted / 25, abs=0.2)
        times = [frame.captured_ns for frame in frames]
        assert times == sorted(times)

    def test_starts_with_a_keyframe(self, tmp_path: Path) -> None:
        # whoever watches already keeps the stream going: this one comes into the middle
        with (
            RtspServer(tmp_path / "log", gop=50) as camera,
            open_source(camera.url()),
            open_source(camera.url()) as source,
        ):
            states = [source.state]
            while (frame := source.read(0.02)) is None:
                states.append(source.state)
        assert set(states) == {"waiting_for_keyframe"}
        number = number_of(frame.image)
        assert number is not None
        assert number % 50 <= 2  # later only where this machine was slow to take it

    def test_tells_its_own_time(self, camera: RtspServer) -> None:
        with open_source(camera.url()) as source:
            assert isinstance(source, RtspConnection)
            until = time.monotonic() + 30
            frames: list[Frame] = []
            while len(frames) < 50 and time.monotonic() < until:
                frame = next(source)
                if frame.camera_time_ns is not None:
                    frames.append(frame)
            offset = source.clock.offset_ns
        assert len(frames) == 50
        left = camera.left()
        off = []
        for frame in frames:
            number = number_of(frame.image)
            assert number is not None
            assert frame.camera_time_ns is not None
            off.append(min(abs(frame.camera_time_ns - at) for at in left[number]))
        assert statistics.median(off) < FRAME_NS / 4
        assert max(off) < FRAME_NS
        # one clock: what is left is the time to bring and to find the end of a frame
        assert offset is not None
        assert -10 * FRAME_NS < offset <= FRAME_NS

    @pytest.mark.parametrize("codec", ["h265", "jpeg"])
    def test_speaks_other_codecs(self, codec: str) -> None:
        with RtspServer(None, codec=codec) as camera, open_source(camera.url()) as source:
            numbers = [number_of(frame.image) for frame in frames_of(source, 20)]
        assert None not in numbers
        assert numbers == sorted(numbers)  # type: ignore[type-var]

    def test_gives_the_newest_frame_to_a_slow_reader(self, camera: RtspServer) -> None:
        with open_source(camera.url()) as source:
            first = next(source)
            time.sleep(1.0)
            frame = next(source)
            assert source.dropped >= 10
            assert first.index + 10 < frame.index <= source.dropped + 1
            assert frame.captured_ns > first.captured_ns

    def test_that_stops_is_stalled_and_goes_on_in_the_same_session(self, tmp_path: Path) -> None:
        with RtspServer(tmp_path / "log") as camera, open_source(camera.url(options="timeout=60")) as source:
            before = next(source)
            camera.pause()
            wait_for(source, "stalled")
            camera.resume()
            wait_for(source, "live")
            after = next(source)
        assert after.index > before.index
        assert after.time is not None
        assert before.time is not None
        assert after.time > before.time

    def test_that_stays_stopped_is_lost(self, tmp_path: Path) -> None:
        with RtspServer(tmp_path / "log") as camera, open_source(camera.url(options="timeout=1.5")) as source:
            next(source)
            camera.pause()
            with pytest.raises(SourceError, match=r"was lost: no packet came for 1\.5 s") as caught:
                list(source)
            assert caught.value.exit_code == 5
            assert source.state == "lost"
            camera.resume()

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_that_is_killed_is_lost_and_there_again(self, tmp_path: Path, transport: str) -> None:
        with RtspServer(tmp_path / "log") as camera:
            address = camera.url(options=f"transport={transport}&timeout=3")
            with open_source(address) as source:
                next(source)
                camera.kill()
                with pytest.raises(SourceError, match="was lost"):
                    list(source)
            with pytest.raises(SourceError, match="refuses connections"):
                open_source(address)
            camera.start()
            with open_source(address) as source:
                assert number_of(next(source).image) is not None

    def test_that_is_silent_can_be_interrupted(self, tmp_path: Path) -> None:
        with RtspServer(tmp_path / "log") as camera, open_source(camera.url(options="timeout=60")) as source:
            next(source)
            camera.pause()
            wait_for(source, "stalled")
            interrupter = threading.Timer(0.1, source.interrupt)
            interrupter.start()
            assert source.read() is None
            assert source.state == "ended"
            interrupter.join()
            camera.resume()
            source._thread.join(30)  # type: ignore[attr-defined]


class TestConnecting:
    def test_needs_the_right_password(self, tmp_path: Path) -> None:
        word = "pass" + "wörd/@#"
        with RtspServer(None, user="me", password=word) as camera:
            with open_source(camera.url("me:passw%C3%B6rd%2F%40%23")) as source:
                assert number_of(next(source).image) is not None
            for login in ("", "me:wrong"):
                with pytest.raises(SourceError, match="wants a user and a password") as caught:
                    open_source(camera.url(login))
                assert caught.value.persistent
                assert "wrong@" not in "".join(traceback.format_exception(caught.value, chain=True)[-1:])

    def test_to_a_path_that_is_not_there(self, camera: RtspServer) -> None:
        with pytest.raises(SourceError, match="no such stream"):
            open_source(camera.url().replace("/camera", "/other"))

    def test_to_a_transport_that_the_camera_lacks(self) -> None:
        with RtspServer(None, transport="udp") as camera, pytest.raises(SourceError, match="refuses to play") as caught:
            open_source(camera.url())
        assert "#transport=udp" in caught.value.fix

    def test_to_a_host_that_is_stopped_is_given_up_in_time(self) -> None:
        with RtspServer(None) as camera:
            camera.pause()
            started = time.monotonic()
            with pytest.raises(SourceError, match="did not answer"):
                SourceAddress.of(camera.url()).open(1.0)
            assert time.monotonic() - started < 10
            camera.resume()

    def test_over_tls_trusts_the_certificate_that_it_is_told_to(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("there is no openssl")
        pem = tmp_path / "camera.pem"
        make = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        )
        made = subprocess.run([*make.split(), "-keyout", "-"], capture_output=True, check=True)
        pem.write_bytes(made.stdout)
        with RtspServer(None, certificate=pem) as camera:
            with pytest.raises(SourceError, match="certificate") as caught:
                open_source(camera.url(scheme="rtsps"))
            assert "#verify=no" in caught.value.fix
            with open_source(camera.url(scheme="rtsps", options="verify=no")) as source:
                assert number_of(next(source).image) is not None
            monkeypatch.setenv("SSL_CERT_FILE", str(pem))
            with open_source(camera.url(scheme="rtsps")) as source:
                assert number_of(next(source).image) is not None


def test_memory_and_threads_do_not_grow(camera: RtspServer) -> None:
    def resident_mib() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def cycle() -> None:
        with open_source(camera.url()) as source:
            next(source)

    for _ in range(3):
        cycle()
    before = resident_mib(), descriptors(), threading.active_count()
    for _ in range(10):
        cycle()
    after = resident_mib(), descriptors(), threading.active_count()
    assert after[1:] == before[1:]
    assert after[0] - before[0] < 20
