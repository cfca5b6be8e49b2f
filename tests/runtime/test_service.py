"""What systemd is told, received by sockets as it has them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fcn_edge.cli.main import main
from fcn_edge.runtime import runner
from fcn_edge.runtime.events import FrameDone, SourceChanged, Started, Waiting
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.service import ServiceNotifier
from fcn_edge.runtime.statistics import StreamStatistics
from fcn_edge.testing.engine import FakeEngine, fake_spec

SECOND = 10**9
MakeResult = Callable[..., Result]


class Manager:
    """A service manager: its socket, what it was told, and a clock for who tells."""

    def __init__(self, address: str) -> None:
        self.now = 5 * SECOND
        self.environ = {"NOTIFY_SOCKET": address}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def notifier(self, **environ: str) -> ServiceNotifier:
        return ServiceNotifier({**self.environ, **environ}, lambda: self.now)

    def told(self) -> list[str]:
        lines: list[str] = []
        with suppress(BlockingIOError):
            while True:
                lines.append(self._socket.recv(4096).decode())
        return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    managed = Manager(f"@fcn-edge-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "n"))
    yield managed
    managed.close()


@pytest.fixture
def frame_done(make_result: MakeResult) -> FrameDone:
    return FrameDone(make_result(), StreamStatistics())


def test_a_run_is_told_from_ready_to_stopping(manager: Manager) -> None:
    with Segmenter(FakeEngine()) as segment, manager.notifier(WATCHDOG_USEC="60000000") as service:
        runner.run("synthetic://street?size=64x96&frames=3", segment, (), [service])
    name = "STATUS=synthetic://street?size=64x96&frames=3"
    assert manager.told() == [
        f"{name}: connecting",
        f"{name}: live",
        "READY=1",
        "WATCHDOG=1",
        f"{name}: 1 frames, 0 dropped",
        f"{name}: ended",
        "STOPPING=1",
    ]


def test_the_watchdog_is_fed_by_frames_and_no_more_than_needed(manager: Manager, frame_done: FrameDone) -> None:
    with manager.notifier(WATCHDOG_USEC="10000000", WATCHDOG_PID=str(os.getpid())) as service:
        service(Started((), fake_spec(), None))
        service(SourceChanged("cam", "live"))
        assert "WATCHDOG=1" not in manager.told()
        fed = []
        for _ in range(100):
            service(frame_done)
            fed += [manager.now for line in manager.told() if line == "WATCHDOG=1"]
            manager.now += SECOND // 2
        assert fed == [5 * SECOND * (1 + turn) for turn in range(10)], "every half of the interval"
        manager.now += 60 * SECOND
        service(SourceChanged("cam", "stalled"))
        assert "WATCHDOG=1" not in manager.told(), "no frame came"


def test_the_watchdog_is_fed_while_all_cameras_are_known_to_be_away(manager: Manager) -> None:
    with manager.notifier(WATCHDOG_USEC="10000000") as service:
        for camera in ("front", "rear"):
            service(SourceChanged(camera, "live"))
        service(SourceChanged("front", "lost"))
        service(Waiting())
        assert "WATCHDOG=1" not in manager.told(), "the rear camera is live, and gives nothing"
        service(SourceChanged("rear", "stalled"))
        fed = 0
        for _ in range(30):
            manager.now += SECOND
            service(Waiting())
            fed += manager.told().count("WATCHDOG=1")
        assert fed == 6
        service(SourceChanged("rear", "ended"))
        manager.now += 6 * SECOND
        service(Waiting())
        assert "WATCHDOG=1" in manager.told()
        service(SourceChanged("front", "live"))
        manager.now += 6 * SECOND
        service(Waiting())
        assert "WATCHDOG=1" not in manager.told(), "it is said to be live again, and no frame is processed"


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_ours_is_not_fed(
    manager: Manager, frame_done: FrameDone, environ: dict[str, str]
) -> None:
    with manager.notifier(**environ) as service:
        service(frame_done)
        assert manager.told() == ["STATUS=drive.mp4: 1 frames, 0 dropped"]


def test_a_state_is_one_line(manager: Manager) -> None:
    with manager.notifier() as service:
        service(SourceChanged("rtsp://u:***@cam", "lost", "no answer\nREADY=1"))
        assert manager.told() == ["STATUS=rtsp://u:***@cam: lost, no answer READY=1"]


@pytest.mark.parametrize("address", ["", "vsock:2:1", "/no/such/socket", "@nobody-listens-here"])
def test_without_a_manager_nothing_happens(address: str, frame_done: FrameDone) -> None:
    with ServiceNotifier({"NOTIFY_SOCKET": address}) as service:
        service(frame_done)


def test_a_manager_that_is_gone_or_busy_does_not_end_the_run(manager: Manager, frame_done: FrameDone) -> None:
    with manager.notifier(WATCHDOG_USEC="2000") as service:
        for _ in range(2000):  # more than the socket's queue holds
            manager.now += SECOND
            service(frame_done)
        manager.close()
        manager.now += SECOND
        service(frame_done)


def test_the_command_tells_it(manager: Manager, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.environ["NOTIFY_SOCKET"])
    result = CliRunner().invoke(main, ["run", str(tiny.path), "synthetic://street?size=64x96&frames=2"])
    assert result.exit_code == 0, result.output
    told = manager.told()
    assert "READY=1" in told
    assert told[-1] == "STOPPING=1"
