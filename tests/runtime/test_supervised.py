from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.errors import MachineError, SourceError, UsageError
from fcn_edge.runtime.backoff import Backoff
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.runtime.sources.base import Connection, Picture, StateChange
from fcn_edge.runtime.sources.numbering import Numbering
from fcn_edge.runtime.sources.supervised import Patience, SupervisedConnection, supervised
from tests.waits import until

from .scripted import Script, Stuck, picture

pytestmark = pytest.mark.usefixtures("no_thread_left")

SOON = 20.0
"""Seconds that a busy machine may take for what takes milliseconds."""


def quick() -> Backoff:
    return Backoff(first=0.01, quick=0.02)


@pytest.fixture
def script() -> Script:
    return Script(fps=25.0)


class Heard:
    """What a supervised connection tells."""

    def __init__(self, connection: Connection) -> None:
        self.changes: list[StateChange] = []
        connection.on_change = self.changes.append

    @property
    def states(self) -> list[str]:
        return [change.state for change in self.changes if not change.of_grade]


@pytest.fixture
def camera(script: Script) -> Iterator[SupervisedConnection]:
    with SupervisedConnection(script.make, backoff=quick()) as connection:
        yield connection


class TestConnecting:
    def test_touches_nothing_before(self, script: Script) -> None:
        connection = SupervisedConnection(script.make)
        assert (connection.state, script.open) == ("idle", 0)
        assert connection.id == "rtsp://u:***@camera"
        connection.close()

    def test_tells_what_the_source_tells(self, script: Script, camera: SupervisedConnection) -> None:
        camera.connect(5)
        assert (camera.fps, camera.size, camera.live, camera.length) == (25.0, (48, 64), True, None)

    def test_to_a_source_that_is_not_there_fails_at_the_start(self) -> None:
        script = Script(there=False)
        with SupervisedConnection(script.make, backoff=quick()) as camera:
            heard = Heard(camera)
            with pytest.raises(SourceError, match="does not answer"):
                camera.connect()
            assert (heard.states, camera.state, len(script.made)) == (["connecting", "lost"], "lost", 1)
            assert "secret" not in heard.changes[-1].message

    def test_waits_where_that_was_asked_for(self) -> None:
        script = Script(there=False)
        with SupervisedConnection(script.make, wait=True, backoff=quick()) as camera:
            heard = Heard(camera)
            camera.connect()
            assert camera.read(0.05) is None
            until(lambda: len(script.made) > 3)
            script.give()
            script.there.set()
            assert camera.read(SOON) is not None
            until(lambda: camera.state == "live")
        assert heard.states == ["connecting", "lost", "live", "ended"]

    @pytest.mark.parametrize("error", [UsageError("It makes no sense."), MachineError("There is no PyAV.")])
    def test_fails_where_waiting_helps_nothing(self, error: Exception) -> None:
        script = Script(there=False)
        script.error = lambda: error
        with (
            SupervisedConnection(script.make, wait=True, backoff=quick()) as camera,
            pytest.raises(type(error), match=str(error)),
        ):
            camera.connect()

    def test_can_be_interrupted(self) -> None:
        camera = SupervisedConnection(Stuck)
        timer = threading.Timer(0.1, camera.interrupt)
        timer.start()
        with pytest.raises(SourceError, match="interrupted"):
            camera.connect()
        timer.join()
        camera.close()
        assert camera.state == "ended"

    def test_ends_once_and_for_all(self, script: Script, camera: SupervisedConnection) -> None:
        camera.connect()
        camera.close()
        camera.close()
        with pytest.raises(SourceError, match="has ended"):
            camera.connect()
        assert camera.read(0.01) is None


class TestHealing:
    def test_a_lost_source_is_connected_again_for_ever(self, script: Script, camera: SupervisedConnection) -> None:
        heard = Heard(camera)
        for _ in range(5):
            script.give()
            assert camera.read(SOON) is not None
            script.fail()
            until(lambda: camera.state == "lost")
        script.give()
        assert camera.read(SOON) is not None
        assert camera.reconnects == 5
        assert heard.states[:4] == ["connecting", "live", "lost", "live"]
        assert heard.changes[2].message == "The cable is cut."
        assert script.open == 1

    def test_it_is_tried_until_it_is_back(self, script: Script, camera: SupervisedConnection) -> None:
        heard = Heard(camera)
        script.give()
        assert camera.read(SOON) is not None
        script.there.clear()
        script.fail()
        until(lambda: len(script.made) > 5)
        assert camera.read(0.01) is None
        assert heard.states == ["connecting", "live", "lost"]
        script.there.set()
        script.give()
        assert camera.read(SOON) is not None
        assert camera.reconnects == 1
        until(lambda: heard.states == ["connecting", "live", "lost", "live"])

    def test_frames_come_within_a_second_and_a_half_of_a_return(self) -> None:
        """By the delays that are asked for, which are counted, not waited for."""
        backoff = Backoff()
        assert max(backoff.delay(lost_for) for lost_for in range(590)) <= 1.5

    def test_a_session_that_the_server_ends_is_lost(self, script: Script, camera: SupervisedConnection) -> None:
        heard = Heard(camera)
        script.give()
        assert camera.read(SOON) is not None
        script.steps.put("end")
        until(lambda: "lost" in heard.states)
        script.give()
        assert camera.read(SOON) is not None
        assert "ended the stream" in heard.changes[2].message

    def test_a_file_that_ends_has_ended(self) -> None:
        script = Script(live=False)
        script.give(3)
        script.steps.put("end")
        with SupervisedConnection(script.make) as source:
            assert [frame.index for frame in source] == [0, 1, 2]
            assert (source.state, source.live, len(script.made)) == ("ended", False, 1)

    def test_an_address_that_turns_out_to_be_a_file_gives_every_frame_once(self) -> None:
        script = Script(live=True)
        script.give(20)
        script.fail("The server is gone.")
        with SupervisedConnection(script.make, backoff=quick(), patience=Patience(silent=0.01)) as source:
            assert source.live
            script.live_when_connected = False
            source.connect()
            assert not source.live
            time.sleep(0.1)
            assert [next(source).index for _ in range(20)] == list(range(20))
            with pytest.raises(SourceError, match="server is gone"):
                source.read(SOON)
        assert len(script.made) == 1

    def test_a_silent_source_is_given_up(self, script: Script) -> None:
        patience = Patience(silent=0.3, keyframe=0.3)
        script.fps = 100.0
        with SupervisedConnection(script.make, patience=patience, backoff=quick()) as camera:
            heard = Heard(camera)
            script.give()
            assert camera.read(SOON) is not None
            until(lambda: len(script.made) >= 2)
            assert "gave no frame for 0." in next(change for change in heard.changes if change.state == "lost").message

    def test_a_slow_source_of_unknown_rate_is_given_more_time(self, script: Script) -> None:
        script.fps = None
        patience = Patience(silent=0.1, most=0.4)
        with SupervisedConnection(script.make, patience=patience, backoff=Backoff(first=1e-6, quick=1e-6)) as camera:
            camera.connect()
            began = time.monotonic()
            until(lambda: len(script.made) >= 5)
            # 0.1 + 0.2 + 0.4 + 0.4
            assert time.monotonic() - began >= 1.1

    def test_a_time_that_was_asked_for_holds_for_a_slow_source_too(self, script: Script) -> None:
        script.fps = 0.1
        with SupervisedConnection(script.make, patience=Patience.of(0.1), backoff=quick()) as camera:
            camera.connect()
            until(lambda: len(script.made) >= 3)

    def test_gaps_that_are_normal_are_waited_for_three_times(self, script: Script) -> None:
        def make() -> Connection:
            connection = script.make()
            connection.longest_gap = 0.2
            return connection

        with SupervisedConnection(make, patience=Patience(silent=0.01), backoff=quick()) as camera:
            script.fps = 10_000.0
            began = time.monotonic()
            camera.connect()
            until(lambda: len(script.made) >= 2)
            assert time.monotonic() - began >= 0.6

    def test_an_error_that_stays_is_tried_less_often(self, script: Script) -> None:
        asked: list[bool] = []

        class Noting(Backoff):
            def delay(self, lost_for: float, persistent: bool = False) -> float:
                asked.append(persistent)
                return 0.01

        def refused() -> SourceError:
            return SourceError("The password is wrong.", persistent=True)

        script.error = refused
        with SupervisedConnection(script.make, backoff=Noting()) as camera:
            camera.connect()
            script.there.clear()
            script.fail()
            until(lambda: len(asked) > 2)
        assert asked[:3] == [False, True, True]

    def test_the_delays_begin_anew_after_a_life(self, script: Script) -> None:
        calls: list[str] = []

        class Noting(Backoff):
            def delay(self, lost_for: float, persistent: bool = False) -> float:
                calls.append("delay")
                return 0.01

            def reset(self) -> None:
                calls.append("reset")

        with SupervisedConnection(script.make, backoff=Noting(), patience=Patience(settled=0.0)) as camera:
            for _ in range(2):
                script.give()
                assert camera.read(SOON) is not None
                made = len(script.made)
                script.fail()
                until(lambda made=made: len(script.made) > made)  # type: ignore[misc]
        assert calls == ["reset", "delay", "reset", "delay"]

    def test_an_internal_error_is_not_hidden(self, script: Script, camera: SupervisedConnection) -> None:
        script.give()
        script.steps.put(ZeroDivisionError())
        assert camera.read(SOON) is not None
        with pytest.raises(ZeroDivisionError):
            camera.read(SOON)
        assert camera.state == "lost"


class TestFrames:
    def test_a_slow_reader_gets_the_newest(self, script: Script, camera: SupervisedConnection) -> None:
        camera.connect()
        script.give(10)
        until(lambda: camera.dropped == 9)
        frame = camera.read(SOON)
        assert frame is not None
        assert (frame.index, frame.name, frame.source) == (9, "000009", "rtsp://u:***@camera")

    def test_drops_of_connections_that_are_gone_are_counted(
        self, script: Script, camera: SupervisedConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.runtime.scripted.Scripted.dropped", 3)
        script.give()
        assert camera.read(SOON) is not None
        script.fail()
        script.give()
        assert camera.read(SOON) is not None
        assert camera.dropped == 6

    def test_packets_lost_are_added_up(
        self, script: Script, camera: SupervisedConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (camera.packets_lost, camera.jitter_ms) == (None, None)
        monkeypatch.setattr("tests.runtime.scripted.Scripted.packets_lost", 5)
        monkeypatch.setattr("tests.runtime.scripted.Scripted.jitter_ms", 1.5)
        script.give()
        assert camera.read(SOON) is not None
        script.fail()
        script.give()
        assert camera.read(SOON) is not None
        assert (camera.packets_lost, camera.jitter_ms) == (10, 1.5)

    def test_what_came_damaged_is_added_up(
        self, script: Script, camera: SupervisedConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.runtime.scripted.Scripted.damaged", 5)
        script.give()
        assert camera.read(SOON) is not None
        assert camera.damaged == 5
        script.fail()
        script.give()
        assert camera.read(SOON) is not None
        assert camera.damaged == 10

    def test_indices_and_times_go_on_over_a_loss(self) -> None:
        numbering, image = Numbering(), np.zeros((4, 4, 3), np.uint8)

        def frame(index: int, at: float, time: float | None, name: str = "") -> Picture:
            return numbering.picture(
                Frame(image, index, round(at * 1e9), name or f"{index:06d}", time=time, captured_unix_ns=5)
            )

        pictures = [frame(0, 100.0, 7.0), frame(3, 100.3, 7.3)]
        numbering.go_on()
        pictures += [frame(0, 110.3, 0.0), frame(1, 110.4, 0.1), frame(2, 110.5, None, "dusk")]
        assert [picture.index for picture in pictures] == [0, 3, 4, 5, 6]
        times = [picture.time for picture in pictures]
        assert times[:4] == pytest.approx([7.0, 7.3, 17.3, 17.4])
        assert times[4] is None
        assert [picture.name for picture in pictures] == ["", "", "", "", "dusk"]
        assert pictures[2].captured_ns == 110_300_000_000

    def test_times_of_the_camera_are_kept(self, script: Script, camera: SupervisedConnection) -> None:
        script.steps.put(picture(captured_ns=11, captured_unix_ns=22, camera_time_ns=33))
        frame = camera.read(SOON)
        assert frame is not None
        assert (frame.captured_ns, frame.captured_unix_ns, frame.camera_time_ns) == (11, 22, 33)


class TestEnding:
    def test_an_interrupt_ends_a_wait_for_the_next_attempt(self, script: Script) -> None:
        slow = Backoff(first=1e4, quick=1e4, uniform=lambda: 1.0)
        with SupervisedConnection(script.make, backoff=slow) as camera:
            camera.connect()
            script.fail()
            until(lambda: camera.state == "lost")
            timer = threading.Timer(0.05, camera.interrupt)
            timer.start()
            assert list(camera) == []
            timer.join()
        assert script.open == 0

    def test_closing_ends_an_attempt(self, script: Script) -> None:
        connections = iter([script.make(), Stuck(), Stuck()])
        camera = SupervisedConnection(lambda: next(connections), backoff=quick())
        camera.connect()
        script.fail()
        until(lambda: camera.state == "lost")
        time.sleep(0.05)
        heard = Heard(camera)
        camera.close()
        assert (camera.state, heard.states) == ("ended", [])
        assert camera.read(SOON) is None

    def test_what_ends_is_told_once(self, script: Script) -> None:
        with SupervisedConnection(script.make) as camera:
            heard = Heard(camera)
            script.give()
            assert camera.read(SOON) is not None
            until(lambda: camera.state == "live")
        camera.close()
        assert heard.states == ["connecting", "live", "ended"]

    def test_many_cycles_leave_nothing(self) -> None:
        def descriptors() -> int:
            folder = Path("/proc/self/fd")
            return len(list(folder.iterdir())) if folder.is_dir() else 0

        before = descriptors()
        for cycle in range(250):
            script = Script()
            script.give()
            if cycle % 4 == 0:
                script.fail()
            with SupervisedConnection(script.make, backoff=Backoff(first=1e-4, quick=1e-4)) as camera:
                assert camera.read(SOON) is not None
            assert script.open == 0
        assert threading.active_count() < 10
        assert descriptors() <= before


class TestSupervised:
    def test_live_sources_are_and_others_are_not(self) -> None:
        camera = supervised(SourceAddress.of("/dev/video7#fps=15"))
        assert isinstance(camera, SupervisedConnection)
        assert camera.address.text == "/dev/video7#fps=15"
        camera.close()
        assert not isinstance(supervised(SourceAddress.of("synthetic://street")), SupervisedConnection)

    @pytest.mark.parametrize("address", ["rtsp://camera/1#{}", "rtsp://camera/1#decoder=gstreamer&{}", "csi://0#{}"])
    def test_are_lost_after_the_time_that_was_asked_for(self, address: str) -> None:
        for seconds, keyframe in [(0.5, 20.0), (60.0, 60.0)]:
            camera = supervised(SourceAddress.of(address.format(f"timeout={seconds}")))
            assert isinstance(camera, SupervisedConnection)
            patience = camera._patience
            assert (patience.silent, patience.keyframe, patience.asked) == (seconds, keyframe, True)
            camera.close()
        camera = supervised(SourceAddress.of(address.format("fps=25")))
        assert isinstance(camera, SupervisedConnection)
        assert camera._patience == Patience(silent=3.0)
        camera.close()

    def test_what_cannot_be_opened_again_is_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.camera.CameraConnection.reopens", False)
        assert not isinstance(supervised(SourceAddress.of("0")), SupervisedConnection)
