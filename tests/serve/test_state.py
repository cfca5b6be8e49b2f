"""The state of a run, as events make it."""

from __future__ import annotations

import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from fcn_edge.errors import MachineError
from fcn_edge.runtime.events import Ended, FrameDone, SinkFailed, SourceChanged
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.source_set import Sources
from fcn_edge.serve.model_facts import ModelFacts
from fcn_edge.serve.readiness import ready
from fcn_edge.serve.state import MOST_OUTPUTS, RunState
from fcn_edge.serve.status import status
from fcn_edge.testing.engine import FakeEngine, fake_spec

from .runs import MS, UNIX_NS, Clock, Gray, S, Silent, frame_done, run_state

FRONT, REAR = "rtsp://admin:secret@cam/front", "rtsp://cam/rear"
FRONT_ID = "rtsp://admin:***@cam/front"


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestStatus:
    def test_before_anything_runs(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(FRONT), outputs=["out.mp4", "rtsp://u:secret@host/x"], control=True)
        found = status(state, history=True)
        assert found["model"] == {
            "name": "fake",
            "encoder": "fake",
            "decoder": "fcn8s",
            "size": [64, 96],
            "backend": "fake",
            "precision": "fp32",
        }
        assert found["classes"][0]["id"] == 0
        assert all(len(one["color"]) == 7 and one["color"][0] == "#" for one in found["classes"])
        assert (found["void"], found["control"], found["ended"], found["viewers"]) == (fake_spec().void, True, False, 0)
        assert found["started_unix_ms"] == found["now_unix_ms"] == clock.unix_ns() // MS
        assert found["outputs"] == [
            {"sink": "out.mp4", "error": None},
            {"sink": "rtsp://u:***@host/x", "error": None},
        ]
        [source] = found["sources"]
        assert source == {
            "id": "front",
            "number": 1,
            "uri": FRONT_ID,
            "state": "idle",
            "grade": None,
            "message": "",
            "since_unix_ms": clock.unix_ns() // MS,
            "paused": False,
            "size": None,
            "fps": 0.0,
            "frames": 0,
            "dropped": 0,
            "late": 0,
            "reconnects": 0,
            "age_ms": None,
            "latency_ms": {"p50": None, "p90": None, "p99": None},
            "stages_ms": {
                name: {"p50": None, "p99": None} for name in ("capture", "preprocess", "infer", "decode", "output")
            },
            "shares": {},
            "history": [],
        }
        assert "history" not in status(state)["sources"][0]

    def test_numbers_of_each_source_alone(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(FRONT), Silent(REAR))
        for _ in range(50):
            clock.now_ns += 40 * MS
            state.heard(frame_done(clock, FRONT_ID, latency_ms=20))
        state.heard(frame_done(clock, REAR, latency_ms=70, output_ms=1))
        clock.now_ns += 3 * MS
        front, rear = status(state)["sources"]
        assert (front["frames"], rear["frames"]) == (50, 1)
        assert front["fps"] == pytest.approx(25, abs=1)
        assert rear["fps"] == 1.0
        assert front["latency_ms"] == {"p50": 20.0, "p90": 20.0, "p99": 20.0}
        assert rear["latency_ms"] == {"p50": 70.0, "p90": 70.0, "p99": 70.0}
        assert {name: found["p50"] for name, found in front["stages_ms"].items()} == {
            "capture": 1.0,
            "preprocess": 2.0,
            "infer": 10.0,
            "decode": 3.0,
            "output": 5.0,
        }
        assert (front["age_ms"], rear["age_ms"]) == (28.0, 74.0)
        assert front["size"] == [48, 64]
        assert front["shares"]["road"] + front["shares"]["sky"] == pytest.approx(1.0)

    def test_percentiles_are_of_the_last_ten_seconds(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(REAR))
        for latency in range(1, 101):
            state.heard(frame_done(clock, REAR, latency_ms=latency))
        assert status(state)["sources"][0]["latency_ms"] == {"p50": 50.0, "p90": 90.0, "p99": 99.0}
        clock.now_ns += 10 * S + 1
        [source] = status(state)["sources"]
        assert source["latency_ms"] == {"p50": None, "p90": None, "p99": None}
        assert (source["fps"], source["frames"]) == (0.0, 100)

    def test_more_frames_than_the_window_holds(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(REAR))
        for latency in (9, 5):
            for _ in range(2048):
                state.heard(frame_done(clock, REAR, latency_ms=latency))
        assert status(state)["sources"][0]["latency_ms"]["p99"] == 5.0

    def test_the_history_has_a_row_a_second(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(REAR))
        clock.now_ns += 300 * MS
        for index in range(10 * 5):
            state.heard(frame_done(clock, REAR, latency_ms=10 + index % 10))
            clock.now_ns += 100 * MS
        clock.now_ns += 2 * S
        [source] = status(state, history=True)["sources"]
        first = (UNIX_NS + 1001 * S) // S  # the first second was not whole
        assert source["history"] == [
            *([first + second, 10.0, 14.0, 19.0] for second in range(4)),
            [first + 4, 3.0, 18.0, 19.0],
            [first + 5, 0.0, None, None],
        ]
        clock.now_ns += 500 * S
        rows = status(state, history=True)["sources"][0]["history"]
        assert len(rows) == 120
        assert [row[0] for row in rows] == list(range(rows[0][0], rows[0][0] + 120))
        assert {row[1] for row in rows} == {0.0}

    def test_shares_are_counted_at_most_twice_a_second(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(REAR))
        state.heard(frame_done(clock, REAR))
        before = status(state)["sources"][0]["shares"]
        event = frame_done(clock, REAR)
        event.result.segmentation.labels[:] = 3
        clock.now_ns += 499 * MS
        state.heard(event)
        assert status(state)["sources"][0]["shares"] == before
        clock.now_ns += 1 * MS
        shares = status(state)["sources"][0]["shares"]
        assert sorted(shares.values())[-1] == 1.0
        assert shares != before

    def test_states_and_messages(self, clock: Clock) -> None:
        state, _ = run_state(clock, Silent(FRONT))
        state.heard(SourceChanged(FRONT_ID, "stalled", "Nothing of rtsp://admin:secret@cam/front.", "poor", 7 * MS))
        [source] = status(state)["sources"]
        assert source["message"] == "Nothing of rtsp://admin:***@cam/front."
        assert source["since_unix_ms"] == 7

    def test_sinks_that_fail(self, clock: Clock) -> None:
        state, _ = run_state(clock, outputs=["out.mp4"])
        for index in range(MOST_OUTPUTS + 10):
            state.heard(SinkFailed(f"out-{index}.mp4", MachineError("The disk is full: rtsp://u:secret@h/x.")))
        state.heard(SinkFailed("out-73.mp4", MachineError("Again.")))
        outputs = status(state)["outputs"]
        assert len(outputs) == MOST_OUTPUTS
        assert outputs[0] == {"sink": "out.mp4", "error": None}
        assert outputs[1]["error"] == "The disk is full: rtsp://u:***@h/x."
        assert state.sink_failures == MOST_OUTPUTS + 11

    def test_counters_never_go_back(self, clock: Clock) -> None:
        source = Silent(REAR)
        state, _ = run_state(clock, source)
        source.reconnects = 5
        assert status(state)["sources"][0]["reconnects"] == 5
        source.reconnects = 4
        assert status(state)["sources"][0]["reconnects"] == 5

    def test_hostile_names_are_printable(self, clock: Clock, tmp_path: Path) -> None:
        state, _ = run_state(clock, Silent("/data/a\n\x1b[31m\udcff\u202e.mp4"))
        uri = status(state)["sources"][0]["uri"]
        assert uri.isprintable()
        assert uri.encode("utf-8")


class TestSourcesThatComeAndGo:
    def test_one_that_is_removed_is_forgotten(self, clock: Clock) -> None:
        state, sources = run_state(clock, Silent(FRONT), Silent(REAR))
        state.heard(frame_done(clock, REAR))
        sources.remove(REAR)
        assert [one["id"] for one in status(state)["sources"]] == ["front"]
        state.heard(frame_done(clock, REAR))  # one that was on its way
        state.heard(SourceChanged(REAR, "ended"))
        assert [one["id"] for one in status(state)["sources"]] == ["front"]

    def test_one_that_comes_again_is_another_one(self, clock: Clock) -> None:
        state, sources = run_state(clock, Silent(REAR))
        state.heard(frame_done(clock, REAR))
        sources.remove(REAR)
        sources.add(Silent(REAR))
        [source] = status(state)["sources"]
        assert (source["id"], source["number"], source["frames"]) == ("rear-2", 2, 0)
        state.heard(frame_done(clock, REAR))
        assert status(state)["sources"][0]["frames"] == 1

    def test_memory_does_not_grow(self, clock: Clock) -> None:
        state, sources = run_state(clock, Silent(FRONT))

        def live(rounds: int) -> int:
            for index in range(rounds):
                name = f"rtsp://cam/{index}"
                sources.add(Silent(f"{name}#name=guest"))
                state.heard(SourceChanged(f"{name}#name=guest", "live"))
                for _ in range(10):
                    clock.now_ns += 40 * MS
                    state.heard(frame_done(clock, FRONT_ID))
                    state.heard(frame_done(clock, f"{name}#name=guest"))
                sources.remove(f"{name}#name=guest")
                state.heard(SourceChanged(f"{name}#name=guest", "ended"))
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            live(10)
            before = live(10)
            after = live(40)
        finally:
            tracemalloc.stop()
        # a record takes about 130 kB; what stays is a label
        assert after - before < 60_000

    def test_a_run_of_several_tells_the_losses_of_each(self) -> None:
        """Files lose nothing, whatever is lost beside them; the one that comes later counts from its own start."""
        files = [Gray(f"s{number}", 6) for number in (1, 2, 3)]
        sources = Sources(*files[:2])
        segment = Segmenter(FakeEngine())
        state = RunState(ModelFacts.of(segment), sources)

        def hear(event: object) -> None:
            state.heard(event)  # type: ignore[arg-type]
            if isinstance(event, FrameDone) and len(sources) == 2 and sources.count == 2:
                sources.add(files[2])

        report = run(sources, segment, (), [hear])
        found = status(state)
        assert found["ended"]
        assert [(one["id"], one["frames"], one["state"]) for one in found["sources"]] == [
            ("s1", 6, "ended"),
            ("s2", 6, "ended"),
            ("s3", 6, "ended"),
        ]
        assert report.frames == 18
        for one in found["sources"]:
            assert one["stages_ms"]["output"]["p50"] is not None
            assert one["latency_ms"]["p50"] > 0


class TestReady:
    def test_when_a_frame_of_every_source_came(self, clock: Clock) -> None:
        state, sources = run_state(clock, Silent(FRONT), Silent(REAR))
        assert ready(state) == (False, "No frame in the last 10 s: front (idle), rear (idle).")
        state.heard(frame_done(clock, FRONT_ID))
        assert ready(state) == (False, "No frame in the last 10 s: rear (idle).")
        state.heard(frame_done(clock, REAR))
        assert ready(state) == (True, "Frames come from front, rear.")
        clock.now_ns += 10 * S
        assert not ready(state)[0]
        sources.pause(FRONT_ID)
        assert not ready(state)[0]
        state.heard(frame_done(clock, REAR))
        assert ready(state) == (True, "Frames come from rear.")
        sources.pause(REAR)
        assert ready(state) == (True, "There is no source that a frame should come from.")

    def test_not_when_the_run_has_ended(self, clock: Clock) -> None:
        state, _ = run_state(clock)
        assert ready(state)[0]
        state.heard(Ended(None))  # type: ignore[arg-type]
        assert ready(state) == (False, "The run has ended.")

    def test_not_when_a_source_was_lost_for_good(self) -> None:
        class Lost(Silent):
            def _connect(self, timeout: float | None) -> None:
                raise MachineError("It is gone.")

        sources = Sources(Lost(REAR), Gray("s1", 2))
        segment = Segmenter(FakeEngine())
        state = RunState(ModelFacts.of(segment), sources)
        seen: list[bool] = []
        run(sources, segment, (), [state.heard, lambda event: seen.append(ready(state)[0])])
        [lost] = [one for one in status(state)["sources"] if one["state"] == "lost"]
        assert lost["message"] == "It is gone."
        assert not any(seen)


def test_others_may_look_while_the_run_goes_on() -> None:
    sources = Sources(Gray("s1", 60))
    segment = Segmenter(FakeEngine())
    state = RunState(ModelFacts.of(segment), sources)
    over = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not over.is_set():
            seen.extend(one["frames"] for one in status(state, history=True)["sources"])
            time.sleep(0.002)

    thread = threading.Thread(target=look)
    thread.start()
    run(sources, segment, (), [state.heard])
    over.set()
    thread.join()
    assert seen == sorted(seen)
    assert status(state)["sources"][0]["frames"] == 60
