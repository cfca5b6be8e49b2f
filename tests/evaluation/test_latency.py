from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from fcn_edge.artifacts.records import Speed
from fcn_edge.backends.base import Job, Session
from fcn_edge.evaluation import latency
from fcn_edge.testing.engine import FakeSession

FRAMES = [np.full((40, 60, 3), level, np.uint8) for level in (0, 100, 200)]


def speed_of(session: Session, frames: list[np.ndarray], *, source: str, device: str, seconds: float) -> Speed:
    """Speed of one session alone."""
    return latency.speeds_of({"one": session}, frames, source=source, devices={"one": device}, seconds=seconds)["one"]


def test_sessions_take_turns() -> None:
    order: list[str] = []

    def network(name: str) -> Any:
        def scores(_: np.ndarray) -> np.ndarray:
            order.append(name)
            return np.zeros((11, 8, 12), np.float32)

        return scores

    with FakeSession(scores=network("a")) as first, FakeSession(scores=network("b")) as second:
        devices = {"first": "A", "second": "B"}
        sessions = {"first": first, "second": second}
        speeds = latency.speeds_of(sessions, FRAMES, source="gray", devices=devices, seconds=0)
    assert order == ["a", "a", "b", "b", *(["a", "b"] * 5)], "two to warm up, then in turns"
    assert [speeds[name].device for name in sessions] == ["A", "B"]


def test_frames_are_taken_in_turn_and_described() -> None:
    seen: list[int] = []

    def scores(image: np.ndarray) -> np.ndarray:
        seen.append(int(image[0, 0, 0]))
        return np.zeros((11, 8, 12), np.float32)

    with FakeSession(scores=scores) as session:
        speed = speed_of(session, FRAMES, source="gray", device="fake", seconds=0)
    assert speed.frames == 5
    assert seen == [0, 100, 0, 100, 200, 0, 100]  # two to warm up, then five
    assert (speed.frame_size, speed.source, speed.device) == ((40, 60), "gray", "fake")
    assert 0 < speed.network_ms <= speed.end_to_end_ms


def test_times_are_medians_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    milliseconds = itertools.chain([1000, 1000], [7, 1, 3, 100, 5])  # two to warm up, then five
    clock = [0]

    class Session(FakeSession):
        def postprocess(self, job: Job) -> np.ndarray:
            clock[0] += next(milliseconds) * 1_000_000
            return super().postprocess(job)

    monkeypatch.setattr(latency.time, "perf_counter_ns", lambda: clock[0])
    with Session() as session:
        speed = speed_of(session, FRAMES, source="gray", device="fake", seconds=0)
    assert speed.end_to_end_ms == 5
    assert speed.network_ms == 0


def test_quick_networks_are_measured_fifty_times_at_most() -> None:
    with FakeSession() as session:
        speed = speed_of(session, FRAMES, source="gray", device="fake", seconds=1000)
    assert speed.frames == 50


def test_a_network_that_takes_several_frames_is_given_as_many() -> None:
    with FakeSession(batch=3) as session:
        speed = speed_of(session, FRAMES, source="gray", device="fake", seconds=0)
    assert session.calls.count("infer 3") == 5
    assert speed.frames == 15
    assert 0 < speed.network_ms <= speed.end_to_end_ms
