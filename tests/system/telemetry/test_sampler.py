from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.system.telemetry import Sampler

from ...doctor.trees import written
from . import machines


class Ticks:
    """A clock that goes on by a second each time that it is read, and says when it was read so many times."""

    def __init__(self, awaited: int) -> None:
        self._seconds = itertools.count()
        self._awaited = awaited
        self.reached = threading.Event()

    def __call__(self) -> int:
        second = next(self._seconds)
        if second >= self._awaited:
            self.reached.set()
        return second * 1_000_000_000


def telemetry_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "telemetry"]


def test_a_thread_samples_until_the_block_ends(tmp_path: Path) -> None:
    clock = Ticks(3)
    with Sampler(root=written(tmp_path, machines.ORIN_NANO), interval=1e-4, clock=clock) as sampler:
        (thread,) = telemetry_threads()
        assert thread.daemon
        assert clock.reached.wait(30)
        written(tmp_path, {"sys/class/hwmon/hwmon1/curr1_input": "9000\n"})
    found = sampler.telemetry
    assert telemetry_threads() == []
    assert found.seconds >= 4
    assert found.joules is not None
    assert found.joules > 5.016 * 1.5 * found.seconds, "what changed in the block was seen"


def test_each_block_is_a_span_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = written(tmp_path, machines.DESKTOP)
    sampler = Sampler(root=root, interval=3600, clock=Ticks(0))
    monkeypatch.setattr(Path, "glob", lambda *_: pytest.fail("sensors are looked for once"))
    with sampler:
        written(root, {"sys/class/powercap/intel-rapl:0/energy_uj": "3000000\n"})
    assert sampler.telemetry.joules == pytest.approx(2)
    with sampler:
        written(root, {"sys/class/powercap/intel-rapl:0/energy_uj": "10000000\n"})
    assert sampler.telemetry.joules == pytest.approx(7)


def test_a_block_that_fails_is_measured_too(tmp_path: Path) -> None:
    sampler = Sampler(root=written(tmp_path, machines.DESKTOP))
    with pytest.raises(ZeroDivisionError), sampler:
        raise ZeroDivisionError
    assert sampler.telemetry.seconds > 0
    assert telemetry_threads() == []


def test_a_machine_without_sensors_needs_no_thread(tmp_path: Path) -> None:
    with Sampler(root=written(tmp_path, machines.CLOUD)) as sampler:
        assert telemetry_threads() == []
    assert sampler.telemetry.load == 0.5


@pytest.mark.parametrize("interval", [0, -1.0, float("nan")])
def test_an_interval_that_makes_no_sense(tmp_path: Path, interval: float) -> None:
    with pytest.raises(UsageError, match="seconds above 0"):
        Sampler(root=tmp_path, interval=interval)


def test_telemetry_is_there_when_the_block_has_ended(tmp_path: Path) -> None:
    sampler = Sampler(root=tmp_path)
    with pytest.raises(UsageError, match="before its with block has ended"):
        assert sampler.telemetry
    with sampler:
        with pytest.raises(UsageError, match="in a with block already"), sampler:
            pass
        with pytest.raises(UsageError):
            assert sampler.telemetry
    assert sampler.telemetry.seconds > 0


def test_this_machine() -> None:
    with Sampler() as sampler:
        pass
    found = sampler.telemetry
    assert found.load is not None
    assert bool(found.power_absent) == (found.watts is None)
