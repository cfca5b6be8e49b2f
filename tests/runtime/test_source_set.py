from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Session
from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime import source_set
from fcn_edge.runtime.events import Ended, Event, FrameDone
from fcn_edge.runtime.loop import Loop
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sinks import Overlays
from fcn_edge.runtime.source_set import MOST_OVER, Sources
from fcn_edge.runtime.sources.supervised import SupervisedConnection
from fcn_edge.runtime.stream_options import StreamOptions
from fcn_edge.testing.engine import FakeEngine, FakeSession

from .scripted import Stuck

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeSource = Callable[..., Any]


def images(count: int | None = None) -> Iterator[NDArray[np.uint8]]:
    return itertools.islice(itertools.repeat(np.full((40, 60, 3), 100, np.uint8)), count)


@pytest.fixture
def named(listed_source: MakeSource) -> Callable[..., Any]:
    """A source of so many images, or without end, of a name."""

    def make(name: str, count: int | None = None) -> Any:
        source = listed_source(images(count))
        source.address = source.address.parse(name)
        return source

    return make


def run_through(
    sources: Sources, each: Callable[[str], None] = lambda name: None, before: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Frames of each source; ``before`` is called when all are there and nothing runs yet."""
    counts: dict[str, int] = {}
    pipeline = Pipeline(FakeSession, on_end=lambda feed, error: sources.ended(feed, error).close())
    with pipeline:
        sources.attach(pipeline)
        before()
        for result in pipeline:
            counts[result.source] = counts.get(result.source, 0) + 1
            each(result.source)
        sources.detach()
    return counts


def test_all_are_run_to_their_ends(named: MakeSource) -> None:
    sources = Sources(named("a", 3), named("b", 5))
    assert list(sources) == ["a", "b"]
    assert sources.states() == {"a": "idle", "b": "idle"}
    assert run_through(sources) == {"a": 3, "b": 5}
    assert len(sources) == 0


def test_one_that_comes_later_runs_too(named: MakeSource) -> None:
    sources = Sources(named("a", 5))

    def add(_name: str) -> None:
        if "b" not in added:
            added.append(sources.add(named("b", 4)))

    added: list[str] = []
    assert run_through(sources, add) == {"a": 5, "b": 4}


def test_one_that_is_removed_gives_no_more(named: MakeSource) -> None:
    sources = Sources(named("a"), named("b", 300))

    def remove(name: str) -> None:
        if name == "a" and "a" in sources:
            sources.remove("a")

    counts = run_through(sources, remove)
    assert counts["b"] == 300
    assert counts["a"] < 10


def test_one_that_is_removed_before_anything_runs_gives_nothing(named: MakeSource) -> None:
    sources = Sources(named("a"), named("b", 3))
    assert run_through(sources, before=lambda: sources.remove("a")) == {"b": 3}


def test_one_that_is_paused_waits(named: MakeSource) -> None:
    sources = Sources(named("a", 20), named("b", 200))
    sources.pause("a")
    seen: list[str] = []

    def resume(name: str) -> None:
        seen.append(name)
        if len(seen) == 100:
            assert "a" not in seen
            sources.resume("a")

    assert run_through(sources, resume) == {"a": 20, "b": 200}


def test_a_set_that_stays_waits_for_more_until_it_is_closed(named: MakeSource) -> None:
    sources = Sources(named("a", 2), stay=True)

    def steer() -> None:
        while "a" in sources:
            threading.Event().wait(0.01)
        sources.add(named("b", 3))
        sources.close()

    thread = threading.Thread(target=steer)
    thread.start()
    assert run_through(sources) == {"a": 2, "b": 3}
    thread.join()


def test_an_empty_set_that_is_closed_ends_at_once() -> None:
    sources = Sources(stay=True)
    timer = threading.Timer(0.05, sources.close)
    timer.start()
    assert run_through(sources) == {}
    timer.join()


def test_a_source_that_the_run_made_is_closed_by_it(video: Path, named: MakeSource) -> None:
    given = named("given", 2)
    sources = Sources(video, given)
    assert run_through(sources) == {str(video): 20, "given": 2}
    assert not given.closed


def test_a_name_is_there_once(named: MakeSource, video: Path) -> None:
    sources = Sources(video)
    with pytest.raises(UsageError, match="there already"):
        sources.add(video)
    sources.remove(str(video))
    sources.add(video)


def test_a_name_that_is_not_there_says_which_are(named: MakeSource) -> None:
    sources = Sources(named("a"))
    for act in (sources.remove, sources.pause, sources.resume):
        with pytest.raises(UsageError, match="no source 'x'") as caught:
            act("x")
        assert caught.value.fix == "Those that are there: a."


def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file"):
        Sources(tmp_path / "none.mp4")


def test_two_runs_at_once_are_refused(named: MakeSource) -> None:
    sources = Sources(named("a", 1))
    with Pipeline(FakeSession) as first, Pipeline(FakeSession) as second:
        sources.attach(first)
        with pytest.raises(UsageError, match="Another run"):
            sources.attach(second)


def test_many_that_come_and_go_leave_nothing(named: MakeSource) -> None:
    sources = Sources(named("base"))
    threads: list[int] = []

    def change(name: str) -> None:
        guest = f"guest {len(threads)}"
        if name == guest:
            sources.remove(guest)
            threads.append(threading.active_count())
            if len(threads) == 200:
                sources.remove("base")
        elif len(threads) < 200 and guest not in sources:
            sources.add(named(guest))

    run_through(sources, change)
    assert len(threads) == 200
    assert max(threads) <= min(threads) + 4
    assert len(sources) == 0


def test_skews_are_told_while_a_run_goes_on(named: MakeSource) -> None:
    cameras = [named("front"), named("rear"), named("silent")]
    sources = Sources(*cameras)
    assert sources.skews_ms() == {"front": None, "rear": None, "silent": None}
    now, unix = time.monotonic_ns(), time.time_ns()
    for camera, seconds in zip(cameras, (3600, 7200), strict=False):
        camera.clock.add(unix + seconds * 1_000_000_000, now)
    seen: list[dict[str, float | None]] = []

    def look(_name: str) -> None:
        if not seen:
            seen.append(sources.skews_ms())
            for name in sources:
                sources.remove(name)

    run_through(sources, look)
    # each is read at a moment of its own, between which a busy machine may wait
    half = 1_800_000
    assert seen[0] == {
        "front": pytest.approx(-half, abs=60_000),
        "rear": pytest.approx(half, abs=60_000),
        "silent": None,
    }


class TestStatuses:
    def test_tell_of_each_source_under_a_number_and_a_label_of_its_own(self, named: MakeSource) -> None:
        sources = Sources(named("rtsp://cam/front"), named("http://other/front"))
        assert [(one.number, one.label, one.id) for one in sources.statuses()] == [
            (1, "front", "rtsp://cam/front"),
            (2, "front-2", "http://other/front"),
        ]
        sources.remove("rtsp://cam/front")
        sources.add(named("rtsp://cam/front"))
        assert [(one.number, one.label) for one in sources.statuses()] == [(2, "front-2"), (3, "front-3")]
        assert sources.number_of("rtsp://cam/front") == 3
        assert sources.number_of("rtsp://cam/none") is None
        assert sources.count == 3

    def test_tell_that_one_is_paused(self, named: MakeSource) -> None:
        sources = Sources(named("a"))
        sources.pause("a")
        assert [one.paused for one in sources.statuses()] == [True]
        sources.resume("a")
        assert [one.paused for one in sources.statuses()] == [False]

    def test_tell_the_losses_of_each_source_alone(self, listed_source: MakeSource) -> None:
        class Losing(listed_source):  # type: ignore[misc]
            reconnects, stalls, grade = 2, 3, "fair"
            dropped = 7

        first, second = Losing(images(3)), listed_source(images(3))
        first.address, second.address = first.address.parse("a"), second.address.parse("b")
        a, b = Sources(first, second).statuses()
        assert (a.dropped, a.reconnects, a.stalls, a.grade) == (7, 2, 3, "fair")
        assert (b.dropped, b.reconnects, b.stalls, b.grade) == (0, 0, 0, None)

    def test_tell_no_more_of_one_that_is_being_removed(self, named: MakeSource) -> None:
        sources = Sources(named("a"), named("b", 50))
        seen: list[tuple[str, ...]] = []

        def remove(name: str) -> None:
            if name == "a" and not seen:
                sources.remove("a")
                seen.append(tuple(one.id for one in sources.statuses()))
                assert sources.number_of("a") is None
                with pytest.raises(UsageError, match="still being removed"):
                    sources.add(named("a"))

        run_through(sources, remove)
        assert seen == [("b",)]
        assert [one.id for one in sources.statuses()] == ["b"]

    def test_tell_how_one_ended_until_it_is_removed_or_comes_again(self, listed_source: MakeSource) -> None:
        ended = listed_source(images(2))
        lost = listed_source([*images(1), SourceError("rtsp://u:secret@cam broke.")])
        ended.address, lost.address = ended.address.parse("a"), lost.address.parse("b")
        sources = Sources(ended, lost)
        run_through(sources)
        a, b = sources.statuses()
        assert (a.state, a.message) == ("ended", "")
        assert (b.state, b.message) == ("lost", "rtsp://u:***@cam broke.")
        assert list(sources) == []
        assert sources.number_of("b") == 2
        again = listed_source(images(2))
        again.address = again.address.parse("b")
        sources.add(again)
        sources.remove("a")
        assert [(one.id, one.state, one.number) for one in sources.statuses()] == [("b", "idle", 3)]

    def test_tell_of_no_more_than_some_that_have_ended(self, named: MakeSource) -> None:
        sources = Sources()
        for number in range(MOST_OVER + 3):
            sources.add(named(f"a{number}", 1))
        run_through(sources)
        numbers = [one.number for one in sources.statuses()]
        assert len(numbers) == MOST_OVER
        assert max(numbers) == MOST_OVER + 3


class TestFixed:
    def test_takes_nothing_more(self, named: MakeSource) -> None:
        sources = Sources(named("a"), fixed=True)
        assert sources.fixed
        with pytest.raises(UsageError, match="takes no further") as caught:
            sources.add(named("b"))
        assert "--allow-source" in caught.value.fix

    def test_cannot_stay(self) -> None:
        with pytest.raises(UsageError, match="fixed"):
            Sources(stay=True, fixed=True)

    def test_of_one_source_runs_as_its_address_does(self, video: Path, tmp_path: Path) -> None:
        report = run(Sources(video, fixed=True), Segmenter(FakeEngine()), tmp_path / "masks", frames=3)
        assert report.frames == 3
        assert (tmp_path / "masks" / "000000.png").exists()

    def test_of_one_source_raises_what_is_wrong_with_it(self, listed_source: MakeSource) -> None:
        with pytest.raises(SourceError, match="gone"):
            run(Sources(listed_source([SourceError("It is gone.")]), fixed=True), Segmenter(FakeEngine()))

    def test_of_one_source_ends_when_that_is_removed(self, named: MakeSource) -> None:
        sources = Sources(named("a"), fixed=True)
        events: list[Event] = []

        def hear(event: Event) -> None:
            events.append(event)
            if isinstance(event, FrameDone):
                sources.remove("a")

        report = run(sources, Segmenter(FakeEngine()), (), [hear])
        assert report.error is None
        assert 1 <= report.frames < 10
        assert isinstance(events[-1], Ended)

    def test_of_one_source_that_is_removed_before_the_run_has_nothing_to_do(self, named: MakeSource) -> None:
        sources = Sources(named("a"), fixed=True)

        class Removing(Segmenter):
            def session_for_stream(self) -> Session:
                raise AssertionError

        loop = Loop(sources, Removing(FakeEngine()), (), (), StreamOptions())
        sources.remove("a")
        with loop:
            loop.warm_up()
            loop.open_sinks(Overlays(), None, None)
            assert loop.to_end().frames == 0

    def test_of_one_source_ends_when_that_is_removed_while_it_is_connected(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(source_set, "supervised", lambda address: SupervisedConnection(Stuck))
        sources = Sources("rtsp://stuck", fixed=True)
        states: list[str] = []

        def steer() -> None:
            # it answers, though the run waits for the source
            while sources.statuses()[0].state != "connecting":
                threading.Event().wait(0.01)
            states.append("connecting")
            sources.remove("rtsp://stuck")

        thread = threading.Thread(target=steer)
        thread.start()
        events: list[Event] = []
        report = run(sources, Segmenter(FakeEngine()), (), [events.append])
        thread.join()
        assert states == ["connecting"]
        assert (report.frames, report.error, report.sources[0].state) == (0, None, "ended")
        assert isinstance(events[-1], Ended)
