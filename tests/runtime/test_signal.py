"""Whether a source's pictures come, and what is shown while they do not."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.runtime.backoff import Backoff
from fcn_edge.runtime.events import Event, FrameDone, GradeChanged, SourceChanged, Started
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.runner import run
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.signal import SignalWatch, no_signal_picture
from fcn_edge.runtime.source_set import Sources
from fcn_edge.runtime.sources import OPENERS
from fcn_edge.runtime.sources.base import State
from fcn_edge.testing.engine import FakeEngine

from .scripted import Script

MakeResult = Callable[..., Result]
FRONT, REAR = "rtsp://front", "rtsp://rear"
S = 1_000_000_000
START = 1_790_000_000 * S
"""Unix time at second 0 of the tests' clock; its monotonic clock begins at 0."""


class Clock:
    """The clocks of the module, which go when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic_ns(self) -> int:
        return round(self.now * S)

    def time_ns(self) -> int:
        return START + self.monotonic_ns()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    own = SimpleNamespace(monotonic_ns=clock.monotonic_ns, time_ns=clock.time_ns)
    monkeypatch.setattr("fcn_edge.runtime.signal.time", own)
    return clock


class Watched:
    """A watch, told what becomes of its source at which second."""

    def __init__(self, clock: Clock, make_result: MakeResult) -> None:
        self.watch = SignalWatch(FRONT)
        self._clock = clock
        self._result = make_result()

    def heard(self, second: float, state: State, source: str = FRONT, late: float = 0.0) -> None:
        self._clock.now = second + late
        self.watch.heard(SourceChanged(source, state, unix_ns=START + round(second * S)))

    def came(self, second: float, latency: float = 0.0) -> None:
        self._clock.now = second
        frame = dataclasses.replace(self._result.frame, captured_ns=round((second - latency) * S))
        self.watch.came(dataclasses.replace(self._result, frame=frame))

    def since(self, second: float) -> float | None:
        self._clock.now = second
        since_ns = self.watch.away_since_unix_ns
        return None if since_ns is None else (since_ns - START) / S


@pytest.fixture
def front(clock: Clock, make_result: MakeResult) -> Watched:
    return Watched(clock, make_result)


class TestWatch:
    def test_a_source_is_away_from_the_moment_of_its_loss(self, front: Watched) -> None:
        front.heard(0, "connecting")
        assert front.since(0) is None
        front.heard(1, "live")
        assert front.since(4) is None
        front.heard(5, "lost", late=0.3)
        assert front.since(100) == 5
        front.heard(101, "live")
        assert front.since(200) is None

    @pytest.mark.parametrize("state", ["live", "frozen", "black", "ended"])
    def test_is_there_again_when_it_gives_pictures_or_is_over(self, front: Watched, state: State) -> None:
        front.heard(5, "stalled")
        front.heard(7, state)
        assert front.since(8) is None

    def test_is_away_from_the_first_of_several_troubles(self, front: Watched) -> None:
        states: tuple[State, ...] = ("stalled", "lost", "connecting", "waiting_for_keyframe", "lost", "stalled")
        for second, state in enumerate(states):
            front.heard(second, state)
            assert front.since(second) == 0

    def test_that_never_came_is_away_once_it_is_lost(self, front: Watched) -> None:
        front.heard(0, "connecting")
        front.heard(1, "waiting_for_keyframe")
        assert front.since(9) is None
        front.heard(10, "lost")
        assert front.since(20) == 10

    def test_a_result_says_that_it_is_there_before_its_state_does(self, front: Watched) -> None:
        front.heard(5, "lost")
        front.came(6)
        assert front.since(6.5) is None

    def test_a_result_of_before_the_loss_says_nothing(self, front: Watched) -> None:
        front.heard(5, "lost", late=0.4)
        front.came(5.5, latency=0.6)
        assert front.since(5.5) == 5

    def test_one_that_comes_and_goes_while_it_is_told_to_be_lost_is_away_when_its_results_stop(
        self, front: Watched
    ) -> None:
        front.heard(5, "lost")
        for second in (7.0, 7.1, 7.2):
            front.came(second)
        assert front.since(8.1) is None
        assert front.since(8.3) == 7.2
        front.came(9)
        assert front.since(9.9) is None
        front.heard(10, "live")
        assert front.since(100) is None
        front.heard(101, "stalled")
        assert front.since(102) == 101

    def test_of_a_slow_source_it_waits_for_five_frame_times(self, front: Watched) -> None:
        for second in (1.0, 3.0, 5.0):
            front.came(second)
        front.heard(15, "stalled")
        front.came(20)
        assert front.since(29) is None
        assert front.since(31) == 20

    def test_one_result_now_and_then_makes_no_slow_source(self, front: Watched) -> None:
        front.heard(5, "lost")
        for second in (10.0, 20.0, 30.0):
            front.came(second)
            assert front.since(second + 0.9) is None
            assert front.since(second + 1.1) == second

    def test_a_grade_tells_the_state_too(self, front: Watched) -> None:
        front.watch.heard(GradeChanged(FRONT, "poor", "", "lost", START))
        assert front.since(1) == 0
        front.watch.heard(GradeChanged(FRONT, "fair", "", "live", START))
        assert front.since(2) is None

    def test_leaves_other_sources_and_other_events_alone(self, front: Watched, make_result: MakeResult) -> None:
        front.heard(5, "lost", source=REAR)
        assert front.since(6) is None
        front.heard(7, "lost")
        front.heard(8, "live", source=REAR)
        result = make_result()
        front.watch.heard(FrameDone(result, result.statistics))
        assert front.since(9) == 7

    def test_without_a_name_it_watches_the_one_source_that_it_is_told_of(self) -> None:
        watch = SignalWatch()
        watch.heard(SourceChanged(REAR, "lost", unix_ns=START))
        assert watch.away_since_unix_ns == START


class TestInARun:
    @pytest.fixture
    def segment(self) -> Iterator[Segmenter]:
        with Segmenter(FakeEngine()) as segmenter:
            yield segmenter

    @pytest.fixture
    def script(self, monkeypatch: pytest.MonkeyPatch) -> Script:
        script = Script(fps=25.0)
        monkeypatch.setitem(OPENERS, "v4l2", lambda address: script.make())  # type: ignore[misc]
        quick = Backoff(first=0.01, quick=0.02, longest=0.02)
        monkeypatch.setattr("fcn_edge.runtime.sources.supervised.Backoff", lambda: quick)
        return script

    def test_it_follows_a_source_that_is_lost_and_comes_again(self, segment: Segmenter, script: Script) -> None:
        watch = SignalWatch()
        seen: list[bool] = []

        def direct(event: Event) -> None:
            watch.heard(event)
            if isinstance(event, FrameDone):
                watch.came(event.result)
                seen.append(watch.away_since_unix_ns is not None)
                script.fail()
            elif isinstance(event, Started):
                script.give()
            elif isinstance(event, SourceChanged) and event.state == "lost":
                assert watch.away_since_unix_ns == event.unix_ns
                script.give()

        run("v4l2://scripted", segment, (), [direct], frames=3)
        assert seen == [False] * 3

    def test_a_paused_source_is_not_away(self, segment: Segmenter, script: Script) -> None:
        sources = Sources("v4l2://scripted")
        (name,) = sources
        watch = SignalWatch(name)
        states: list[str] = []

        def direct(event: Event) -> None:
            watch.heard(event)
            if isinstance(event, Started):
                script.give()
            elif isinstance(event, FrameDone):
                watch.came(event.result)
                sources.pause(name)
                script.give(10)
            elif isinstance(event, SourceChanged):
                states.append(event.state)

        report = run(sources, segment, (), [direct], seconds=0.5)
        assert report.frames == 1
        assert states[:2] == ["connecting", "live"]
        assert watch.away_since_unix_ns is None


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    """A colored picture, light to the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 1] = np.linspace(0, 255, width).astype(np.uint8)
    image[..., 2] = 180
    return image


def text_box(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of what is written into a dark picture; none: zeros."""
    rows, columns = np.nonzero(image[..., 0] > 128)
    return (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) if len(rows) else (0, 0)


class TestPicture:
    SIZES = ((240, 320), (480, 640), (1080, 1920), (640, 360))

    @pytest.mark.parametrize("size", SIZES)
    def test_is_the_last_one_gray_and_dark_with_text_in_the_middle(self, size: tuple[int, int]) -> None:
        last = gradient(*size)
        before = last.copy()
        picture = no_signal_picture(last, size, time.time_ns())
        assert (picture.shape, picture.dtype) == ((*size, 3), np.uint8)
        assert np.array_equal(last, before)
        assert np.array_equal(picture[..., 0], picture[..., 1])
        assert np.array_equal(picture[..., 0], picture[..., 2])
        top = picture[: size[0] // 5, :, 0].astype(float)
        assert 10 < top.mean() < 0.4 * last[: size[0] // 5].mean()
        assert np.all(np.diff(top.mean(0)) >= 0), "what it showed is still seen"
        height, width = text_box(picture)
        assert size[0] / 12 < height < size[0] / 3
        assert size[1] / 6 < width <= 0.82 * size[1]
        left = picture[:, : size[1] // 2, 0] > 128
        assert 0.3 < left.sum() / (picture[..., 0] > 128).sum() < 0.7

    @pytest.mark.parametrize("size", SIZES)
    def test_without_a_last_one_is_a_dark_card(self, size: tuple[int, int]) -> None:
        picture = no_signal_picture(None, size, time.time_ns())
        assert picture.shape == (*size, 3)
        assert np.unique(picture[: size[0] // 5]).size == 1
        assert picture[0].max() < 60
        assert text_box(picture)[0] > size[0] / 12

    def test_tells_the_time_and_the_day_where_it_was_another_one(self) -> None:
        size = 480, 640
        now = time.time_ns()
        today, yesterday = (no_signal_picture(None, size, unix_ns) for unix_ns in (now, now - 86_400 * S))
        assert text_box(yesterday)[1] > 1.5 * text_box(today)[1]
        assert not np.array_equal(yesterday, no_signal_picture(None, size, now - 86_401 * S))
        assert np.array_equal(yesterday, no_signal_picture(None, size, now - 86_400 * S)), "it is pure"

    def test_of_another_size_has_the_last_one_fitted_in(self) -> None:
        picture = no_signal_picture(np.full((64, 64, 3), 250, np.uint8), (240, 426), time.time_ns())
        top = picture[:40, :, 0]
        assert top[:, :230].min() > 50
        assert top[:, 250:].max() == 0

    @pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 40), (40, 3), (20, 20), (2, 2000), (2000, 2)])
    def test_that_is_tiny_has_no_text(self, size: tuple[int, int]) -> None:
        for last in (None, np.full((*size, 3), 200, np.uint8)):
            picture = no_signal_picture(last, size, 0)
            assert picture.shape == (*size, 3)
            assert text_box(picture) == (0, 0)
