"""A camera whose clock is wrong changes a number, and nothing else."""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest
from typing_extensions import override

from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks.jsonlines import JsonLinesSink
from fcn_edge.runtime.sources.supervised import SupervisedConnection
from fcn_edge.testing.engine import FakeEngine

from .scripted import Script, picture

pytestmark = pytest.mark.usefixtures("no_thread_left")

FRAMES = 10
FPS = 25.0
MAX_AGE = 120.0
"""Far below an hour, and far above what a busy machine takes."""


class OneByOne(JsonLinesSink):
    """Has the camera give its next picture when the one before is through: a live source then drops none."""

    def __init__(self, script: Script, ahead_ns: int) -> None:
        super().__init__()
        self._script = script
        self._ahead_ns = ahead_ns
        self._given = 0
        self.give()

    def give(self) -> None:
        camera_time_ns = time.time_ns() + self._ahead_ns
        self._script.steps.put(picture(time=self._given / FPS, camera_time_ns=camera_time_ns))
        self._given += 1

    @override
    def write(self, result: Result) -> None:
        super().write(result)
        self.give()


@pytest.mark.parametrize("hours", [1, -1])
def test_an_hour_off_changes_a_number_and_drops_nothing(hours: int, capsys: pytest.CaptureFixture[str]) -> None:
    ahead_ns = hours * 3600 * 1_000_000_000
    script = Script(fps=FPS)
    started = time.time_ns()
    with closing(SupervisedConnection(script.make)) as camera:
        sink = OneByOne(script, ahead_ns)
        report = run(camera, Segmenter(FakeEngine()), sink, frames=FRAMES, max_age=MAX_AGE)
    assert report.error is None
    assert (report.frames, report.statistics.late, report.statistics.dropped) == (FRAMES, 0, 0)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["index"] for line in lines] == list(range(FRAMES))
    assert [line["time"] for line in lines] == pytest.approx([index / FPS for index in range(FRAMES)], abs=1e-6)
    for line in lines:
        assert started <= line["captured_ns"] <= time.time_ns()
        assert abs(line["camera_time_ns"] - line["captured_ns"] - ahead_ns) < MAX_AGE * 1e9

    (told,) = report.sources
    assert told.clock_offset_ms == pytest.approx(hours * 3_600_000, abs=MAX_AGE * 1000)
    assert (told.reconnects, told.dropped) == (0, 0)
