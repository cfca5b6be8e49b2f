"""A live source that is lost and comes back in the middle of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fcn_edge.errors import SourceError
from fcn_edge.runtime.backoff import Backoff
from fcn_edge.runtime.events import Event, FrameDone, GradeChanged, SourceChanged, Started
from fcn_edge.runtime.runner import run, stream
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources import OPENERS
from fcn_edge.runtime.sources.base import StateChange
from fcn_edge.runtime.sources.supervised import SupervisedConnection
from fcn_edge.testing.engine import FakeEngine

from .scripted import Script

pytestmark = pytest.mark.usefixtures("no_thread_left")

ADDRESS = "v4l2://scripted"


@pytest.fixture
def segment() -> Iterator[Segmenter]:
    with Segmenter(FakeEngine()) as segmenter:
        yield segmenter


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """What ``v4l2://`` addresses connect to."""
    script = Script(fps=25.0)
    monkeypatch.setitem(OPENERS, "v4l2", lambda address: script.make())  # type: ignore[misc]
    monkeypatch.setattr(
        "fcn_edge.runtime.sources.supervised.Backoff", lambda: Backoff(first=0.01, quick=0.02, longest=0.02)
    )
    return script


def states(events: list[Event]) -> list[str]:
    return [event.state for event in events if isinstance(event, SourceChanged)]


def test_each_change_is_told_once_in_the_calling_thread_while_no_frame_comes(
    segment: Segmenter, script: Script
) -> None:
    events: list[Event] = []
    threads: set[str] = set()

    def direct(event: Event) -> None:
        """One loss after the first frame; the next frame comes when that was told."""
        events.append(event)
        threads.add(threading.current_thread().name)
        if isinstance(event, FrameDone) and event.result.index == 0:
            script.fail()
        elif isinstance(event, Started | FrameDone) or (isinstance(event, SourceChanged) and event.state == "lost"):
            script.give()

    report = run(ADDRESS, segment, (), [direct], frames=3)
    assert states(events) == ["connecting", "live", "lost", "live", "ended"]
    assert threads == {threading.current_thread().name}
    lost = next(event for event in events if isinstance(event, SourceChanged) and event.state == "lost")
    assert (lost.source, lost.message) == ("rtsp://u:***@camera", "The cable is cut.")
    (source,) = report.sources
    assert (source.frames, source.state, source.live, source.reconnects) == (3, "ended", True, 1)
    assert report.error is None
    assert script.open == 0


def test_a_stream_goes_on_too(segment: Segmenter, script: Script) -> None:
    script.give()
    indices = []
    for result in stream(segment, ADDRESS, frames=3):
        indices.append(result.index)
        script.fail()
        script.give()
    assert indices == [0, 1, 2]
    assert script.open == 0


def test_a_source_that_is_not_there_at_the_start_is_an_error(segment: Segmenter, script: Script) -> None:
    script.there.clear()
    events: list[Event] = []
    with pytest.raises(SourceError, match="does not answer"):
        run(ADDRESS, segment, (), [events.append])
    assert states(events) == ["connecting", "lost"]


def test_a_run_ends_in_time_though_its_source_is_lost(segment: Segmenter, script: Script) -> None:
    script.give()

    def lose(event: Event) -> None:
        events.append(event)
        if isinstance(event, FrameDone):
            script.there.clear()
            script.fail()

    events: list[Event] = []
    report = run(ADDRESS, segment, (), [lose], seconds=0.5)
    assert (report.frames, report.error) == (1, None)
    assert states(events) == ["connecting", "live", "lost"]
    assert report.sources[0].state == "lost"


def test_grades_are_events(segment: Segmenter, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.runtime.grade.FIRST_NS", 0)
    monkeypatch.setattr("fcn_edge.runtime.health.GRADE_EVERY_NS", 0)
    events: list[Event] = []

    def more(event: Event) -> None:
        events.append(event)
        if isinstance(event, Started | FrameDone):
            script.give()

    report = run(ADDRESS, segment, (), [more], frames=5)
    graded = [event for event in events if isinstance(event, GradeChanged)]
    assert graded
    assert graded[0].message.startswith("In the last hour")
    assert report.sources[0].grade == graded[-1].grade


def test_a_connection_of_the_callers_stays_open_and_its_listener_hears(segment: Segmenter, script: Script) -> None:
    changes: list[StateChange] = []
    events: list[Event] = []
    with SupervisedConnection(script.make) as camera:
        camera.on_change = listener = changes.append
        script.give()
        report = run(camera, segment, (), [events.append], frames=1)
        assert camera.on_change is listener
        assert (report.sources[0].state, camera.state, script.open) == ("live", "live", 1)
        script.give()
        run(camera, segment, frames=1)
    assert states(events) == ["connecting", "live"]
    assert [change.state for change in changes if not change.of_grade] == ["connecting", "live", "ended"]


def test_what_a_listener_raises_while_no_frame_comes_ends_the_run(segment: Segmenter, script: Script) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, Started):
            script.give()
        elif isinstance(event, FrameDone):
            script.fail()
        elif isinstance(event, SourceChanged) and event.state == "lost":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(ADDRESS, segment, (), [fail])
    assert script.open == 0
