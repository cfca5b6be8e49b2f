"""Runs of several sources: who gets what, and what one that fails does to the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import MachineError, SourceError, UsageError
from fcn_edge.runtime.events import Ended, Event, FrameDone, SinkFailed, SourceChanged, Started
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run, stream
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import OPENERS, Sink, SinkContext
from fcn_edge.runtime.source_set import Sources, label_of
from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.runtime.uri import Uri
from fcn_edge.testing.engine import FakeEngine

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeSource = Callable[..., Any]


def street(seed: int, frames: int = 4, name: str = "") -> str:
    option = f"#name={name}" if name else ""
    return f"synthetic://street?seed={seed}&size=64x96&frames={frames}&fps=10{option}"


@pytest.fixture
def silent() -> Iterator[tuple[int, list[socket.socket]]]:
    """The port of a camera that takes every connection and never says a word, and the connections that it took."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            with suppress(OSError):  # it was closed
                while True:
                    taken.append(server.accept()[0])

        taking = threading.Thread(target=take)
        taking.start()
        yield server.getsockname()[1], taken
        server.shutdown(socket.SHUT_RDWR)
        taking.join()
        for one in taken:
            one.close()
        # FFmpeg cannot be woken while it opens an address: its thread ends only now
        for thread in threading.enumerate():
            if thread.name == "fcn-edge network":
                thread.join()


@pytest.fixture
def segment() -> Segmenter:
    return Segmenter(FakeEngine())


@pytest.fixture
def named(listed_source: MakeSource) -> Callable[..., Any]:
    """A source of gray images under a name; an exception among them is raised."""

    def make(name: str, count: int, error: Exception | None = None) -> Any:
        images: list[NDArray[np.uint8] | Exception] = [np.full((40, 60, 3), value, np.uint8) for value in range(count)]
        source = listed_source([*images, error] if error else images)
        source.address = source.address.parse(name)
        return source

    return make


class Collected(Sink):
    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def write(self, result: Result) -> None:
        self.seen.append((result.source, result.index))


def states(events: list[Event], source: str) -> list[str]:
    return [event.state for event in events if isinstance(event, SourceChanged) and event.source == source]


class TestSeveral:
    def test_each_gives_all_its_frames_in_order_to_a_sink_in_common(self, segment: Segmenter) -> None:
        sink, events = Collected(), list[Event]()
        report = run([street(1, 3), street(2, 5)], segment, sink, [events.append])
        for seed, count in ((1, 3), (2, 5)):
            assert [index for source, index in sink.seen if f"seed={seed}" in source] == list(range(count))
            assert states(events, street(seed, count)) == ["connecting", "live", "ended"]
        assert report.frames == 8
        assert {one.uri: (one.frames, one.state) for one in report.sources} == {
            street(1, 3): (3, "ended"),
            street(2, 5): (5, "ended"),
        }
        assert report.error is None
        (started,) = (event for event in events if isinstance(event, Started))
        assert len(started.sources) == 2
        assert isinstance(events[-1], Ended)

    @pytest.mark.parametrize("live", [False, True])
    def test_a_sink_in_common_knows_whether_one_is_live(
        self, segment: Segmenter, named: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, live: bool
    ) -> None:
        contexts: list[SinkContext] = []

        def opened(_uri: Uri, context: SinkContext) -> Sink:
            contexts.append(context)
            return Collected()

        monkeypatch.setitem(cast("dict[str, Any]", OPENERS), "null", opened)
        camera = named("camera://front", 1)
        camera.live = live
        lives: set[bool] = set()

        def listen(event: Event) -> None:
            if isinstance(event, FrameDone) and event.result.source == "camera://front":
                lives.add(event.result.frame.live)

        run([street(1, 2), camera], segment, "null:", [listen], max_age=3600)
        assert [(one.live, one.shared, one.max_age_ns) for one in contexts] == [(live, True, 3600 * 10**9)]
        assert lives == {live}

    def test_have_files_of_their_own(self, segment: Segmenter, tmp_path: Path) -> None:
        run([street(1, 2, "front"), street(2, 3, "rear")], segment, [tmp_path / "masks", str(tmp_path / "out.avi")])
        assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
            "masks/front/000000.png",
            "masks/front/000001.png",
            "masks/rear/000000.png",
            "masks/rear/000001.png",
            "masks/rear/000002.png",
            "out-front.avi",
            "out-rear.avi",
        ]
        capture = cv2.VideoCapture(str(tmp_path / "out-rear.avi"))
        assert [capture.read()[0] for _ in range(4)] == [True, True, True, False]

    def test_one_that_is_lost_is_told_of_and_the_others_go_on(self, segment: Segmenter, named: MakeSource) -> None:
        events, sink = list[Event](), Collected()
        sources = [named("a", 9), named("b", 2, SourceError("The cable of b is cut.")), named("c", 9)]
        report = run(sources, segment, sink, [events.append])
        assert sorted(sink.seen) == [*(("a", i) for i in range(9)), ("b", 0), ("b", 1), *(("c", i) for i in range(9))]
        assert {one.uri: one.state for one in report.sources}["b"] == "lost"
        assert states(events, "b")[-1] == "lost"
        assert isinstance(report.error, SourceError)
        assert report.error.message == "The cable of b is cut."

    def test_one_that_cannot_be_opened_is_told_of_too(self, segment: Segmenter, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"none")
        events: list[Event] = []
        report = run([tmp_path / "bad.png", street(1, 3)], segment, (), [events.append])
        assert report.frames == 3
        assert states(events, str(tmp_path / "bad.png")) == ["connecting", "lost"]
        assert isinstance(report.error, SourceError)

    @pytest.mark.parametrize("way", [run, stream])
    def test_where_none_gives_a_frame_that_is_the_error(
        self, segment: Segmenter, tmp_path: Path, way: Callable[..., Any]
    ) -> None:
        for name in "ab":
            (tmp_path / f"{name}.png").write_bytes(b"none")
        sources = [tmp_path / "a.png", tmp_path / "b.png"]
        with pytest.raises(SourceError, match=r"[ab]\.png"):
            way(sources, segment) if way is run else list(way(segment, sources))

    def test_a_frame_limit_is_one_for_all(self, segment: Segmenter) -> None:
        report = run([street(1, 50), street(2, 50)], segment, frames=10)
        assert report.frames == 10 == sum(source.frames for source in report.sources)

    def test_a_sink_of_one_that_fails_leaves_the_others(self, segment: Segmenter, tmp_path: Path) -> None:
        (tmp_path / "masks").mkdir()
        (tmp_path / "masks" / "front").write_text("in the way")
        events: list[Event] = []
        report = run([street(1, 3, "front"), street(2, 3, "rear")], segment, tmp_path / "masks", [events.append])
        (failed,) = (event for event in events if isinstance(event, SinkFailed))
        assert failed.sink == str(tmp_path / "masks" / "front")
        assert len(list((tmp_path / "masks" / "rear").iterdir())) == 3
        assert isinstance(report.error, UsageError)

    def test_when_no_sink_is_left_the_run_ends(self, segment: Segmenter) -> None:
        class Failing(Sink):
            def write(self, result: Result) -> None:
                raise MachineError("The disk is full.")

        with pytest.raises(MachineError, match="disk is full"):
            run([street(1, 50), street(2, 50)], segment, Failing())

    def test_may_be_streamed(self, segment: Segmenter) -> None:
        seen = [(result.source, result.index) for result in stream(segment, [street(1, 3), street(2, 2)])]
        assert sorted(seen) == [*((street(1, 3), i) for i in range(3)), *((street(2, 2), i) for i in range(2))]

    def test_play_at_their_own_pace(self, segment: Segmenter) -> None:
        report = run([street(1, 3), street(2, 3)], segment, realtime=True)
        assert all(one.live and one.frames + one.dropped == 3 for one in report.sources)
        assert report.statistics.seconds > 0.15

    def test_connections_stay_the_callers_to_close(self, segment: Segmenter, named: MakeSource) -> None:
        sources = [named("a", 2), named("b", 2)]
        run(sources, segment)
        assert not any(source.closed for source in sources)


class TestSources:
    def test_may_come_and_go_while_the_run_goes_on(self, segment: Segmenter) -> None:
        sources = Sources(street(1, 10_000), stay=True)
        counts: dict[str, int] = {}
        enough = threading.Event()

        def count(event: Event) -> None:
            if isinstance(event, FrameDone):
                counts[event.result.source] = counts.get(event.result.source, 0) + 1
                if all(counts.get(street(seed, 10_000), 0) >= 5 for seed in (1, 2)):
                    enough.set()

        def steer() -> None:
            sources.add(street(2, 10_000))
            assert enough.wait(60)
            for name in tuple(sources):
                sources.remove(name)
            sources.close()

        thread = threading.Thread(target=steer)
        thread.start()
        report = run(sources, segment, (), [count])
        thread.join()
        assert {one.uri: one.state for one in report.sources} == {
            street(1, 10_000): "ended",
            street(2, 10_000): "ended",
        }
        assert report.frames == sum(counts.values())

    @pytest.mark.parametrize(("scheme", "connections"), [("rtsp", 2), ("http", 1)])
    def test_one_that_does_not_answer_is_removed_before_its_time_is_up(
        self,
        segment: Segmenter,
        silent: tuple[int, list[socket.socket]],
        monkeypatch: pytest.MonkeyPatch,
        scheme: str,
        connections: int,
    ) -> None:
        pytest.importorskip("av")
        monkeypatch.setattr("fcn_edge.runtime.sources.network.CONNECT_TIMEOUT", 3600.0)
        port, taken = silent
        name = f"{scheme}://127.0.0.1:{port}/camera"
        sources, events = Sources(name, stay=True), list[Event]()

        def steer() -> None:
            while len(taken) < connections:  # FFmpeg's own follows a first one that asks who is there
                time.sleep(0.01)
            sources.remove(name)
            while len(sources):
                time.sleep(0.01)
            sources.close()

        thread = threading.Thread(target=steer)
        thread.start()
        report = run(sources, segment, (), [events.append])
        thread.join()
        assert [(one.uri, one.state, one.frames) for one in report.sources] == [(name, "ended", 0)]
        assert report.error is None, "nobody wanted it any more"
        assert states(events, name) == ["connecting", "ended"]

    def test_one_that_comes_back_writes_over_nothing(self, segment: Segmenter, tmp_path: Path) -> None:
        sources = Sources(street(1, 2, "front"), stay=True)

        def again(event: Event) -> None:
            if isinstance(event, SourceChanged) and event.state == "ended":
                if len(ended) == 0:
                    sources.add(street(2, 3, "front"))
                else:
                    sources.close()
                ended.append(event.source)

        ended: list[str] = []
        run(sources, segment, tmp_path / "masks", [again])
        assert {path.name: len(list(path.iterdir())) for path in (tmp_path / "masks").iterdir()} == {
            "front": 2,
            "front-2": 3,
        }

    def test_is_empty_and_free_after_a_run_that_was_left(self, segment: Segmenter) -> None:
        sources = Sources(street(1, 100), street(2, 100))
        for _ in stream(segment, sources):
            break
        assert len(sources) == 0
        sources.add(street(1, 2))
        assert run(sources, segment).frames == 2


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("0", "camera-0"),
        ("/dev/video2", "video2"),
        ("drives/day 1.mp4", "day-1"),
        ("rtsp://user:secret@10.0.0.5:554/cam/1?channel=2", "camera-1"),
        ("csi://0", "camera-0"),
        ("gst://videotestsrc is-live=true ! jpegenc", "videotestsrc-is-live-true-jpegenc"),
        ("rtsp://user:secret@10.0.0.5", "10-0-0-5"),
        ("rtsp://10.0.0.5/live#name=front_left", "front_left"),
        ("photos/", "photos"),
    ],
)
def test_a_label_names_the_source_and_no_password(text: str, label: str) -> None:
    assert label_of(SourceAddress.of(text)) == label


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        SourceAddress.of("rtsp://10.0.0.5/live#name=../x").connection()
