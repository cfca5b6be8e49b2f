from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import TextIO

import pytest

from fcn_edge.errors import MachineError
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, Sink, SinkContext, open_sink
from fcn_edge.runtime.sinks.backlog import WAITING
from fcn_edge.runtime.sinks.queued import QueuedSink

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeResult = Callable[..., Result]
LIVE = SinkContext(Overlays(), live=True)
PATIENCE = 60.0


class Held(Sink):
    """Takes results, each only when it is let go on; fails where it is given an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.taken: list[int] = []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self._error = error

    def write(self, result: Result) -> None:
        self.entered.set()
        assert self.go_on.wait(PATIENCE)
        if self._error is not None:
            raise self._error
        self.taken.append(result.index)


class TestQueued:
    def test_a_sink_that_waits_keeps_nobody_waiting(self, make_result: MakeResult) -> None:
        held = Held()
        sink = QueuedSink(held, "The disk")
        sink.write(make_result(0))
        assert held.entered.wait(PATIENCE)
        for index in range(1, WAITING + 4):
            sink.write(make_result(index))
        assert sink.dropped == 3
        held.go_on.set()
        sink.close()
        assert held.taken == list(range(WAITING + 1))
        sink.close()

    def test_results_of_files_wait_until_a_live_source_is_among_them(self, make_result: MakeResult) -> None:
        held = Held()
        sink = QueuedSink(held, "The reader", live=False)
        sink.write(make_result(0))
        assert held.entered.wait(PATIENCE)
        for index in range(1, WAITING + 1):
            sink.write(make_result(index))
        waiting = threading.Thread(target=sink.write, args=[make_result(WAITING + 1)])
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        held.go_on.set()
        waiting.join(PATIENCE)
        assert sink.dropped == 0
        held.go_on.clear()
        result = make_result(50)
        for _ in range(WAITING + 4):  # none of them waits for room
            sink.write(replace(result, frame=replace(result.frame, live=True)))
        assert sink.dropped >= 3
        held.go_on.set()
        sink.close()
        assert held.taken[: WAITING + 2] == list(range(WAITING + 2))

    def test_the_end_of_files_waits_for_all_of_them(
        self, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sinks.queued.CLOSE_TIMEOUT", 0.05)
        held = Held()
        sink = QueuedSink(held, "The reader", live=False)
        sink.write(make_result(0))
        threading.Timer(0.2, held.go_on.set).start()
        sink.close()
        assert held.taken == [0]

    def test_the_end_of_a_run_that_was_interrupted_waits_for_nobody(
        self, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sinks.queued.CLOSE_TIMEOUT", 0.05)
        held = Held(MachineError("Told to stop."))
        sink = QueuedSink(held, "The reader", stop=held.go_on.set, live=False)
        sink.write(make_result(0))
        assert held.entered.wait(PATIENCE)
        sink.finish(hurry=True)
        with pytest.raises(MachineError, match=r"results \(1\) were not written"):
            sink.close()

    @pytest.mark.parametrize("error", [MachineError("The disk is full."), BrokenPipeError()])
    def test_a_failure_is_raised_once(self, make_result: MakeResult, error: Exception) -> None:
        held = Held(error)
        held.go_on.set()
        sink = QueuedSink(held, "The disk")
        sink.write(make_result(0))
        assert sink._backlog.join(PATIENCE)
        with pytest.raises(type(error)) as caught:
            sink.write(make_result(1))
        assert caught.value is error
        sink.close()

    def test_the_last_failure_is_raised_by_close(self, make_result: MakeResult) -> None:
        held = Held(MachineError("The disk is full."))
        sink = QueuedSink(held, "The disk")
        sink.write(make_result(0))
        held.go_on.set()
        with pytest.raises(MachineError, match="full"):
            sink.close()
        sink.close()

    def test_a_write_without_end_is_left_and_said(
        self, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sinks.queued.CLOSE_TIMEOUT", 0.05)
        held = Held(MachineError("Told to stop."))
        sink = QueuedSink(held, "The disk", stop=held.go_on.set)
        sink.write(make_result(0))
        assert held.entered.wait(PATIENCE)
        sink.write(make_result(1))
        with pytest.raises(MachineError, match=r"The disk took longer .* results \(2\) were not written"):
            sink.close()
        assert (held.taken, sink.dropped) == ([], 2)

    def test_no_mask_that_grew_too_old_meanwhile(
        self, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [100]
        monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
        held = Held()
        sink = QueuedSink(held, "The disk", max_age_ns=100)
        sink.write(make_result(0))  # captured at 0
        assert held.entered.wait(PATIENCE)
        sink.write(make_result(1))
        now[0] = 101
        held.go_on.set()
        sink.close()
        assert (held.taken, sink.dropped) == ([0], 1)


class TestWhatIsQueued:
    def test_masks_and_lines_of_live_sources_alone(self, tmp_path: Path) -> None:
        for text in ("-", f"{tmp_path}/masks"):
            with open_sink(text, LIVE) as queued, open_sink(text, replace(LIVE, live=False)) as direct:
                assert isinstance(queued, QueuedSink)
                assert not isinstance(direct, QueuedSink)
                assert queued.wrote == direct.wrote
                assert queued.name == direct.name == text

    def test_lines_of_several_sources(self) -> None:
        with open_sink("-", replace(LIVE, live=False, shared=True)) as sink:
            assert isinstance(sink, QueuedSink)

    def test_masks_are_written(self, tmp_path: Path, make_result: MakeResult) -> None:
        with open_sink(str(tmp_path), LIVE) as sink:
            sink.write(make_result(0))
            sink.write(make_result(1))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.png", "000001.png"]


class TestStandardOutput:
    @pytest.fixture
    def pipe(self) -> Iterator[tuple[BufferedReader, TextIO]]:
        """A pipe: its end to read, and what may stand for standard output."""
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as read, os.fdopen(writer, "w") as stdout:
            yield read, stdout

    def test_lines_are_whole_and_in_order(
        self, pipe: tuple[BufferedReader, TextIO], make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, stdout = pipe
        monkeypatch.setattr(sys, "stdout", stdout)
        with open_sink("-", LIVE) as sink:
            for index in range(WAITING):
                sink.write(make_result(index, name="x" * 5000))  # longer than what a pipe takes at once
        stdout.close()
        lines = reader.read().splitlines()
        assert [json.loads(line)["index"] for line in lines] == list(range(WAITING))

    def test_a_reader_that_stopped_reading(
        self, pipe: tuple[BufferedReader, TextIO], make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sinks.queued.CLOSE_TIMEOUT", 0.05)
        reader, stdout = pipe
        monkeypatch.setattr(sys, "stdout", stdout)
        os.set_blocking(stdout.fileno(), False)
        filled = os.write(stdout.fileno(), b"x" * (1 << 22))
        os.set_blocking(stdout.fileno(), True)
        sink = open_sink("-", LIVE)
        for index in range(WAITING + 2):
            sink.write(make_result(index))
        with pytest.raises(MachineError, match="reader of standard output took longer"):
            sink.close()
        assert sink.dropped == WAITING + 2
        stdout.close()
        assert len(reader.read()) == filled, "no part of a line"

    def test_a_reader_that_went_away(self, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            sink = open_sink("-", LIVE)
            sink.write(make_result(0))
            with pytest.raises(BrokenPipeError):
                sink.close()
