from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import DeviceError, MachineError, SourceError, UsageError
from fcn_edge.io.images import read_labels
from fcn_edge.runtime.events import Ended, Event, FrameDone, SinkFailed, SourceChanged, Started
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run, stream
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import OPENERS, Overlays, Sink
from fcn_edge.runtime.sinks.video import VideoSink
from fcn_edge.runtime.sources import SourceAddress, open_source
from fcn_edge.testing.engine import FakeEngine, FakeSession

pytestmark = pytest.mark.usefixtures("no_thread_left")

Image = NDArray[np.uint8]
MakeSource = Callable[..., Any]
STREET = "synthetic://street?seed=3&size=64x96&frames=5&fps=10"


def noise(count: int) -> list[Image]:
    rng = np.random.default_rng(7)
    return [rng.integers(0, 256, (40 + i % 3, 60, 3), np.uint8) for i in range(count)]


def endless() -> Iterator[Image]:
    return itertools.cycle(noise(4))


@pytest.fixture
def segment() -> Iterator[Segmenter]:
    with Segmenter(FakeEngine()) as segmenter:
        yield segmenter


class Collected(Sink):
    """Keeps results; fails, or has enough, with the one of a number, counted from 1."""

    def __init__(self, fail_at: int = 0, error: BaseException | None = None, enough_at: int = 0) -> None:
        self.results: list[Result] = []
        self.closed = 0
        self._fail_at, self._error, self._enough_at = fail_at, error, enough_at

    def write(self, result: Result) -> None:
        if len(self.results) + 1 == self._fail_at:
            raise self._error or MachineError("The disk is full.")
        self.results.append(result)
        self.ended = len(self.results) == self._enough_at

    def close(self) -> None:
        self.closed += 1


def summary(event: Event) -> str:
    """An event in a word or two."""
    if isinstance(event, SourceChanged):
        return event.state
    if isinstance(event, FrameDone):
        return f"frame {event.result.index}"
    return type(event).__name__


class TestEvents:
    def test_come_in_the_order_that_is_promised(self, segment: Segmenter) -> None:
        events: list[Event] = []
        report = run([STREET], segment, [], [events.append])
        frames = [f"frame {index}" for index in range(5)]
        assert [summary(event) for event in events] == ["connecting", "live", "Started", *frames, "ended", "Ended"]
        assert [event.source for event in events if isinstance(event, SourceChanged)] == [STREET] * 3
        (started,) = (event for event in events if isinstance(event, Started))
        assert (started.total, started.spec) == (5, segment.spec)
        assert started.sources[0].fps == 10
        ended = events[-1]
        assert isinstance(ended, Ended)
        assert ended.report is report

    def test_go_to_every_listener_after_the_sinks(self, segment: Segmenter) -> None:
        order: list[str] = []

        class Noting(Sink):
            def write(self, result: Result) -> None:
                order.append(f"sink {result.index}")

        def listener(name: str) -> Callable[[Event], None]:
            return lambda event: order.append(f"{name} {event.result.index}") if isinstance(event, FrameDone) else None

        run(STREET, segment, Noting(), [listener("one"), listener("two")], frames=2)
        assert order == ["sink 0", "one 0", "two 0", "sink 1", "one 1", "two 1"]

    def test_tell_how_many_frames_there_will_be_at_most(self, segment: Segmenter, listed_source: MakeSource) -> None:
        totals: list[int | None] = []

        def note(event: Event) -> None:
            if isinstance(event, Started):
                totals.append(event.total)

        run(STREET, segment, (), [note], frames=3)
        run(STREET, segment, (), [note], frames=9)
        run(listed_source(noise(2)), segment, (), [note])
        assert totals == [3, 5, None]

    def test_that_a_listener_fails_at_end_the_run(self, segment: Segmenter) -> None:
        def fail(event: Event) -> None:
            if isinstance(event, FrameDone):
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run(STREET, segment, (), [fail])

    def test_say_why_a_source_was_lost(self, segment: Segmenter, listed_source: MakeSource) -> None:
        events: list[Event] = []
        source = listed_source([*noise(2), SourceError("The cable of rtsp://u:secret@x is cut.")])
        report = run(source, segment, (), [events.append])
        assert [summary(event) for event in events][-3:] == ["frame 1", "lost", "Ended"]
        lost = events[-2]
        assert isinstance(lost, SourceChanged)
        assert lost.message == "The cable of rtsp://u:***@x is cut."
        assert report.sources[0].state == "lost"

    def test_of_a_source_that_cannot_be_opened(self, segment: Segmenter, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"none")
        events: list[Event] = []
        with pytest.raises(SourceError, match=r"a\.png"):
            run(tmp_path / "a.png", segment, (), [events.append])
        assert [summary(event) for event in events] == ["connecting", "lost"]


class TestReport:
    def test_counts_and_names_the_source(self, segment: Segmenter) -> None:
        report = run(STREET, segment)
        assert (report.frames, report.error, report.interrupted) == (5, None, False)
        report.raise_error()
        (source,) = report.to_json()["sources"]
        assert source == {
            "uri": STREET,
            "state": "ended",
            "live": False,
            "size": (64, 96),
            "fps": 10.0,
            "frames": 5,
            "dropped": 0,
            "grade": None,
            "reconnects": 0,
            "stalls": 0,
            "packets_lost": None,
            "jitter_ms": None,
            "clock_offset_ms": None,
            "clock_drift_ppm": None,
            "skew_ms": None,
            "damaged": 0,
        }
        json.dumps(report.to_json(), allow_nan=False)

    def test_counts_what_a_live_source_dropped(self, segment: Segmenter, listed_source: MakeSource) -> None:
        report = run(listed_source(noise(30), live=True), segment)
        (source,) = report.sources
        assert source.frames + source.dropped == 30
        assert (source.live, source.dropped) == (True, report.statistics.dropped)

    def test_of_a_run_that_was_cut_short_says_that_the_source_ended(self, segment: Segmenter) -> None:
        report = run(STREET, segment, frames=2)
        assert (report.frames, report.sources[0].state) == (2, "ended")

    def test_warm_up_is_none_of_the_frames(self, listed_source: MakeSource) -> None:
        engine = FakeEngine()
        with Segmenter(engine) as segment:
            assert run(listed_source(noise(3)), segment).frames == 3
        assert [session.calls.count("infer") for session in engine.sessions] == [0, 4]


class TestSinks:
    def test_take_every_result_and_are_closed_where_the_run_opened_them(
        self, segment: Segmenter, tmp_path: Path
    ) -> None:
        sink = Collected()
        report = run(STREET, segment, [str(tmp_path / "masks"), sink])
        assert report.frames == len(sink.results) == 5
        assert sink.closed == 0
        for result in sink.results:
            assert np.array_equal(read_labels(tmp_path / "masks" / f"{result.frame.name}.png"), result.labels)

    def test_are_told_of_the_source(self, segment: Segmenter, tmp_path: Path) -> None:
        run(STREET, segment, str(tmp_path / "out.mp4"), overlays=Overlays(1.0))
        with open_source(tmp_path / "out.mp4") as video:
            assert (video.fps, video.length) == (10, 5)
        run(STREET, segment, str(tmp_path / "out.png"), frames=1)
        assert (tmp_path / "out.png").stat().st_size

    def test_may_end_the_run(self, segment: Segmenter, listed_source: MakeSource) -> None:
        sink = Collected(enough_at=3)
        report = run(listed_source(endless()), segment, sink)
        assert (report.frames, report.error, len(sink.results)) == (3, None, 3)

    @pytest.mark.parametrize("number", [1, 2, 4])
    def test_that_fail_are_left_and_the_others_go_on(self, segment: Segmenter, tmp_path: Path, number: int) -> None:
        events: list[Event] = []
        failing = Collected(fail_at=number)
        report = run(STREET, segment, [failing, str(tmp_path / "out.mp4")], [events.append])
        assert isinstance(report.error, MachineError)
        assert report.frames == 5
        assert len(failing.results) == number - 1
        frames = [f"frame {index}" for index in range(5)]
        frames.insert(number - 1, "SinkFailed")
        assert [summary(event) for event in events][3:] == [*frames, "ended", "Ended"]
        (failed,) = (event for event in events if isinstance(event, SinkFailed))
        assert (failed.sink, failed.error) == ("Collected", report.error)
        with open_source(tmp_path / "out.mp4") as video:
            assert len(list(video)) == 5
        with pytest.raises(MachineError, match="full"):
            report.raise_error()

    def test_of_which_none_is_left_end_the_run(self, segment: Segmenter, listed_source: MakeSource) -> None:
        events: list[Event] = []
        first, second = Collected(fail_at=2), Collected(3, MachineError("The cable is cut."))
        report = run(listed_source(endless()), segment, [second, first], [events.append])
        assert str(report.error) == "The disk is full."
        assert [len(sink.results) for sink in (first, second)] == [1, 2]
        assert report.frames == 3
        assert [summary(event) for event in events][-3:] == ["frame 1", "SinkFailed", "Ended"]
        assert [str(sink.error) for sink in report.sinks] == ["The cable is cut.", "The disk is full."]

    def test_that_fail_alone_with_the_first_frame_raise(self, segment: Segmenter) -> None:
        events: list[Event] = []
        with pytest.raises(MachineError, match="full"):
            run(STREET, segment, Collected(fail_at=1), [events.append])
        assert [summary(event) for event in events] == ["connecting", "live", "Started", "SinkFailed", "ended"]

    def test_that_fail_are_closed_at_once_where_the_run_opened_them(
        self, segment: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []

        class Failing(Collected):
            def write(self, result: Result) -> None:
                order.append("write")
                super().write(result)

            def close(self) -> None:
                order.append("close")
                raise MachineError("It cannot be closed either.")

        monkeypatch.setitem(OPENERS, "failing", lambda uri, context: Failing(fail_at=2))
        events: list[Event] = []
        report = run(STREET, segment, ["failing://x", "null:"], [events.append])
        assert order == ["write", "write", "close"]
        assert str(report.error) == "The disk is full."
        assert [event.sink for event in events if isinstance(event, SinkFailed)] == ["failing://x"]

    def test_are_in_the_report(self, segment: Segmenter, tmp_path: Path) -> None:
        report = run(STREET, segment, [str(tmp_path / "out.mp4"), "null:", Collected(fail_at=2)])
        assert report.to_json()["sinks"] == [
            {"sink": str(tmp_path / "out.mp4"), "wrote": [str(tmp_path / "out.mp4")], "dropped": 0, "error": None},
            {"sink": "null:", "wrote": [], "dropped": 0, "error": None},
            {"sink": "Collected", "wrote": [], "dropped": 0, "error": "The disk is full."},
        ]

    def test_that_cannot_complete_what_they_wrote_are_reported(
        self, segment: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        close = VideoSink.close

        def fail(self: VideoSink) -> None:
            close(self)
            raise MachineError("The disk is full.")

        events: list[Event] = []
        monkeypatch.setattr(VideoSink, "close", fail)
        report = run(STREET, segment, [str(tmp_path / "out.mp4"), str(tmp_path / "masks")], [events.append])
        assert isinstance(report.error, MachineError)
        assert report.frames == 5
        (failed,) = (event for event in events if isinstance(event, SinkFailed))
        assert failed.sink == str(tmp_path / "out.mp4")
        assert summary(events[-1]) == "Ended"

    def test_are_whole_when_something_else_is_raised(self, segment: Segmenter, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError):
            run(STREET, segment, [str(tmp_path / "out.mp4"), Collected(3, ZeroDivisionError())])
        with open_source(tmp_path / "out.mp4") as video:
            assert len(list(video)) == 3

    def test_that_make_no_sense_are_refused_before_the_first_frame(
        self, segment: Segmenter, listed_source: MakeSource, tmp_path: Path
    ) -> None:
        source = listed_source(noise(3))
        with pytest.raises(UsageError, match="neither a video"):
            run(source, segment, [str(tmp_path / "masks"), "out.txt"])
        with pytest.raises(UsageError, match="named twice"):
            run(source, segment, [str(tmp_path / "a.mp4"), f"{tmp_path}/./a.mp4"])
        assert source.given == 0

    def test_that_are_named_twice_are_refused_before_the_source_is_connected(
        self, segment: Segmenter, listed_source: MakeSource, tmp_path: Path
    ) -> None:
        source, events = listed_source(noise(3)), list[Event]()
        with pytest.raises(UsageError, match="named twice"):
            run(source, segment, [tmp_path / "a.mp4", f"{tmp_path}/./a.mp4"], [events.append])
        assert (source.state, events) == ("idle", [])

    def test_may_be_paths(self, segment: Segmenter, tmp_path: Path) -> None:
        sink = Collected()
        run(STREET, segment, [tmp_path / "out.mp4", str(tmp_path / "masks"), sink])
        run(STREET, segment, tmp_path / "alone")
        with open_source(tmp_path / "out.mp4") as video:
            assert len(list(video)) == len(sink.results) == 5
        for folder in ("masks", "alone"):
            assert len(list((tmp_path / folder).iterdir())) == 5

    def test_that_are_none_are_refused(self, segment: Segmenter) -> None:
        with pytest.raises(UsageError, match="A SINK is given as int"):
            run(STREET, segment, ["null:", 3])  # type: ignore[list-item]

    def test_of_an_address_hide_its_password(self, segment: Segmenter) -> None:
        with pytest.raises(UsageError, match=r"user:\*\*\*@host") as caught:
            run(STREET, segment, "rtmp://user:secret@host/out")
        assert "secret" not in str(caught.value)


class TestFailure:
    def test_before_the_first_frame_is_raised(self, listed_source: MakeSource) -> None:
        engine = FakeEngine(fail_at=2, error=DeviceError("The device was lost."))  # the first is the warm-up
        with Segmenter(engine) as segment, pytest.raises(DeviceError, match="lost"):
            run(listed_source(noise(3)), segment)

    def test_after_it_is_in_the_report(self, listed_source: MakeSource) -> None:
        with Segmenter(FakeEngine(fail_at=4, error=DeviceError("The device was lost."))) as segment:
            report = run(listed_source(noise(5)), segment)
        assert report.frames == 2
        assert isinstance(report.error, DeviceError)

    def test_an_interrupt_closes_files_and_is_in_the_report(
        self, segment: Segmenter, listed_source: MakeSource, tmp_path: Path
    ) -> None:
        events: list[Event] = []
        sinks = [str(tmp_path / "out.mp4"), Collected(4, KeyboardInterrupt())]
        report = run(listed_source(endless()), segment, sinks, [events.append])
        assert (report.interrupted, report.error, report.frames) == (True, None, 4)
        assert summary(events[-1]) == "Ended"
        with open_source(tmp_path / "out.mp4") as video:
            assert len(list(video)) == 4
        with pytest.raises(KeyboardInterrupt):
            report.raise_error()

    def test_a_real_interrupt_ends_a_camera_that_gives_nothing(
        self, segment: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The device blocks in OpenCV, as one does whose cable is loose."""
        import cv2

        device = tmp_path / "video0"
        device.touch()
        blocked, released = threading.Event(), threading.Event()

        class Stuck:
            def __init__(self, *_: object) -> None:
                self.reads = 0

            def isOpened(self) -> bool:
                return True

            def get(self, key: int) -> float:
                return 0.0

            def set(self, key: int, value: float) -> bool:
                return True

            def read(self) -> tuple[bool, Image | None]:
                self.reads += 1
                if self.reads > 1:
                    blocked.set()
                    released.wait(60)
                    return False, None
                return True, np.zeros((48, 64, 3), np.uint8)

            def release(self) -> None:
                pass

        monkeypatch.setattr(cv2, "VideoCapture", Stuck)
        monkeypatch.setattr("fcn_edge.runtime.sources.camera.CLOSE_TIMEOUT", 0.0)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        started = threading.Event()
        killer = threading.Thread(
            target=lambda: (blocked.wait(60), started.wait(60), os.kill(os.getpid(), signal.SIGINT))
        )
        killer.start()
        try:
            report = run(
                f"v4l2://{device}", segment, (), [lambda event: started.set() if isinstance(event, Started) else None]
            )
            assert (report.interrupted, report.frames, report.sources[0].state) == (True, 0, "ended")
            report = run(f"v4l2://{device}", segment, seconds=0.2)
            assert (report.interrupted, report.frames, report.error) == (False, 0, None)
        finally:
            released.set()
            killer.join()
            signal.signal(signal.SIGINT, before)
            for thread in threading.enumerate():
                if thread.name == "fcn-edge camera":
                    thread.join(60)


class TestArguments:
    def test_without_a_source_or_with_one_twice(self, segment: Segmenter) -> None:
        with pytest.raises(UsageError, match="there already"):
            run([STREET, STREET], segment)
        with pytest.raises(UsageError, match="No source was given"):
            run([], segment)

    @pytest.mark.parametrize("limits", [{"frames": 0}, {"seconds": 0.0}, {"seconds": -1.0}, {"seconds": float("nan")}])
    def test_limits_that_make_no_sense(self, segment: Segmenter, limits: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match="1 frame or more"):
            run(STREET, segment, **limits)
        with pytest.raises(UsageError, match="1 frame or more"):
            next(stream(segment, STREET, **limits))

    @pytest.mark.parametrize("seconds", [float("inf"), 1e300])
    def test_a_time_that_does_not_end(self, segment: Segmenter, seconds: float) -> None:
        with pytest.raises(UsageError, match=r"seconds=.* is no time that ends"):
            run(STREET, segment, seconds=seconds)
        with pytest.raises(UsageError, match="no time that ends"):
            next(stream(segment, STREET, seconds=seconds))
        assert run(STREET, segment, seconds=1e9).frames == 5

    def test_a_source_is_a_text_a_path_an_address_or_a_connection(self, segment: Segmenter, video: Path) -> None:
        for source in (str(video), video, SourceAddress.of(video)):
            assert run(source, segment, frames=2).frames == 2
        with open_source(video) as opened:
            assert run([opened], segment, frames=2).frames == 2
            assert opened.state == "live"
            assert next(opened).index >= 2

    def test_a_session_may_be_given(self, listed_source: MakeSource) -> None:
        engine = FakeEngine()
        with Segmenter(engine) as segment:
            run(listed_source(noise(2)), segment, session=segment.session)
            assert len(engine.sessions) == 1
            (session,) = engine.sessions
            assert isinstance(session, FakeSession)
            assert "close" not in session.calls
            run(listed_source(noise(2)), segment)
            assert engine.sessions[1].calls[-1] == "close"

    def test_unknown_pixels_get_the_void(self, segment: Segmenter) -> None:
        sink = Collected()
        run(STREET, segment, sink, unknown_below=1.0)
        confidence = sink.results[0].confidence
        assert confidence is not None
        assert np.all(sink.results[0].labels[confidence < 1.0] == segment.spec.void)


class TestStream:
    def test_gives_what_a_segmentation_has_and_what_the_command_knows(self, segment: Segmenter) -> None:
        results = []
        for count, result in enumerate(stream(segment, STREET)):
            assert result.statistics.frames == count
            results.append(result)
        assert [result.index for result in results] == list(range(5))
        assert [result.time for result in results] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
        assert {result.source for result in results} == {STREET}
        for result in results:
            segmentation = segment(result.frame.image)
            assert np.array_equal(result.labels, segmentation.labels)
            assert result.shares() == segmentation.shares()
            assert result.void_share == segmentation.void_share
            assert np.array_equal(result.overlay(0.3, legend=True), segmentation.overlay(0.3, legend=True))
            assert np.array_equal(result.colored(), segmentation.colored())
            assert result.timing.total > 0
            assert result.latency_ns > 0
            assert result.spec is segment.spec
            assert result.confidence is None
        assert repr(results[1]).startswith(f"Result({STREET} 1: Segmentation(64x96")

    def test_takes_limits_and_listeners(self, segment: Segmenter, listed_source: MakeSource) -> None:
        events: list[Event] = []
        results = list(stream(segment, listed_source(endless()), listeners=[events.append], frames=2))
        assert len(results) == 2
        assert [summary(event) for event in events] == ["connecting", "live", "Started", "frame 0", "frame 1"]

    def test_leaves_a_source_open_that_the_caller_opened(self, segment: Segmenter, listed_source: MakeSource) -> None:
        source = listed_source(endless())
        for _ in stream(segment, source):
            break
        assert not source.closed
        assert len(list(stream(segment, source, frames=3))) == 3

    def test_closes_a_source_that_it_opened_when_the_loop_is_left(
        self, segment: Segmenter, listed_source: MakeSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = listed_source(endless())
        monkeypatch.setattr(SourceAddress, "connection", lambda self: source)
        for _ in stream(segment, "anything"):
            break
        assert source.closed
        assert source.state == "ended"

    def test_says_what_is_wrong_with_the_source(self, segment: Segmenter) -> None:
        with pytest.raises(SourceError, match="no file or folder"):
            next(stream(segment, "nothing.mp4"))
        with pytest.raises(UsageError, match="does not read"):
            next(stream(segment, "ftp://camera/1"))

    def test_raises_an_error_after_the_results_before_it(self, segment: Segmenter, listed_source: MakeSource) -> None:
        seen: list[int] = []
        with pytest.raises(SourceError, match="lost"):
            seen.extend(
                result.index for result in stream(segment, listed_source([*noise(3), SourceError("It was lost.")]))
            )
        assert seen == [0, 1, 2]

    def test_two_at_once_on_one_engine(self, segment: Segmenter, listed_source: MakeSource) -> None:
        images = noise(6)
        streams = (stream(segment, listed_source(images)), stream(segment, listed_source(images[::-1])))
        pairs = list(zip(*streams, strict=True))
        for (one, other), image in zip(pairs, images, strict=True):
            assert np.array_equal(one.labels, segment(image).labels)
            assert one.index == other.index
