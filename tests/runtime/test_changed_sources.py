"""Options that apply to sources: a region, flips, a rate, repetition, the pace of a camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.events import Event, SourceChanged
from fcn_edge.runtime.runner import run, stream
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources import Connection, EndOfSource, Picture, SourceAddress, open_source
from fcn_edge.runtime.sources.base import StateChange
from fcn_edge.runtime.sources.paced import PacedConnection
from fcn_edge.runtime.sources.rated import RatedConnection
from fcn_edge.runtime.sources.transformed import FLIPS, Region, TransformedConnection
from fcn_edge.testing.engine import FakeEngine
from tests.waits import until

pytestmark = pytest.mark.usefixtures("no_thread_left")

Image = NDArray[np.uint8]
Write = Callable[..., Path]
STREET = "synthetic://street?seed=3&size=64x96&frames=4&fps=10"


class Timed(Connection):
    """Gives black pictures with these times, then an error or its end."""

    def __init__(self, times: list[float | None], fps: float | None = None, error: Exception | None = None) -> None:
        super().__init__("timed://")
        self._times = list(times)
        self._error = error
        self._fps = fps
        self.given = 0
        self.closes = 0

    def _connect(self, timeout: float | None) -> None:
        self.fps, self.size, self.length = self._fps, (4, 6), len(self._times)

    def _next(self, timeout: float) -> Picture | None:
        if self.given == len(self._times):
            raise self._error or EndOfSource
        self.given += 1
        return Picture(np.zeros((4, 6, 3), np.uint8), time=self._times[self.given - 1])

    def close(self) -> None:
        self.closes += 1
        super().close()


class Held(Timed):
    """As ``Timed``, but each picture after the first comes only once it is let go.

    A reader that a busy machine holds up would otherwise find the one before replaced already.
    """

    def __init__(self, times: list[float | None], fps: float | None = None) -> None:
        super().__init__(times, fps)
        self.go = threading.Semaphore()

    def _next(self, timeout: float) -> Picture | None:
        return super()._next(timeout) if self.go.acquire(timeout=timeout) else None


class TestRegionAndFlip:
    @pytest.mark.parametrize("flip", FLIPS)
    def test_change_image_and_labels_alike(self, flip: str) -> None:
        expected: dict[str, Callable[[Image], Image]] = {
            "horizontal": lambda image: image[:, ::-1],
            "vertical": lambda image: image[::-1],
            "rotate-180": lambda image: image[::-1, ::-1],
            "clockwise": lambda image: np.rot90(image, -1),
            "counterclockwise": lambda image: np.rot90(image),
        }
        with open_source(STREET) as source:
            plain = list(source)
        with open_source(f"{STREET}#roi=10,20,30x40&flip={flip}") as source:
            size, frames = source.size, list(source)
            assert (source.fps, source.length, source.classes) == (10.0, 4, source.classes)
            assert source.classes
        assert len(frames) == 4
        for before, after in zip(plain, frames, strict=True):
            assert before.labels is not None
            assert after.labels is not None
            assert np.array_equal(after.image, expected[flip](before.image[10:40, 20:60]))
            assert np.array_equal(after.labels, expected[flip](before.labels[10:40, 20:60]))
            assert after.image.shape[:2] == after.labels.shape == size
            assert (after.index, after.time, after.name) == (before.index, before.time, before.name)

    def test_a_region_alone_copies_nothing(self, write_image: Write, tmp_path: Path) -> None:
        with open_source(f"{write_image(tmp_path / 'a.png')}#roi=0,32,48x32") as source:
            image = next(source).image
            assert isinstance(image, np.ndarray)
            assert (image.shape, source.size) == ((48, 32, 3), (48, 32))
            assert image.base is not None

    def test_masks_are_of_the_region(self, video: Path, tmp_path: Path) -> None:
        run(f"{video}#roi=8,16,32x40&flip=clockwise", Segmenter(FakeEngine()), tmp_path / "masks", frames=2)
        assert cv2.imread(str(tmp_path / "masks" / "000000.png"), cv2.IMREAD_UNCHANGED).shape == (40, 32)

    def test_a_region_outside_of_the_picture(self, video: Path) -> None:
        for roi in ("0,0,49x64", "1,0,48x64", "0,60,10x5"):
            with pytest.raises(SourceError, match=rf"roi={roi} does not lie in the picture .* 48x64 pixels") as caught:
                open_source(f"{video}#roi={roi}")
            assert caught.value.exit_code == 5

    def test_a_region_that_a_later_frame_does_not_have(self, tmp_path: Path, write_image: Write) -> None:
        write_image(tmp_path / "a.png")
        cv2.imwrite(str(tmp_path / "b.png"), np.zeros((20, 20, 3), np.uint8))
        with open_source(f"{tmp_path}#roi=0,0,40x40") as source:
            next(source)
            with pytest.raises(SourceError, match="20x20 pixels"):
                next(source)
            assert source.state == "lost"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ("roi=1,2", "top,left,height x width"),
            ("roi=1,2,3", "480x640"),
            ("roi=-1,2,3x4", "top,left"),
            ("flip=around", "horizontal, vertical, rotate-180, clockwise, counterclockwise"),
        ],
    )
    def test_that_make_no_sense(self, video: Path, options: str, message: str) -> None:
        for place in (str(video), "0", "-", "synthetic://street"):
            with pytest.raises(UsageError, match=message):
                SourceAddress.of(f"{place}#{options}").connection()

    def test_every_source_takes_them(self, tmp_path: Path, write_image: Write) -> None:
        write_image(tmp_path / "a.png")
        for text in (str(tmp_path), f"file://{tmp_path}/a.png", "/dev/video97", "v4l2://97", "-", "synthetic://street"):
            connection = SourceAddress.of(f"{text}#flip=vertical&roi=0,0,2x2").connection()
            assert isinstance(connection, TransformedConnection)
            assert connection.id == f"{text}#flip=vertical&roi=0,0,2x2"
            connection.close()

    def test_state_and_losses_are_those_of_the_source(self, listed_source: Any) -> None:
        class Losing(listed_source):  # type: ignore[misc]
            dropped = 4
            damaged = 2

        inner = Losing([np.zeros((4, 6, 3), np.uint8)] * 2, live=True)
        source = TransformedConnection(inner, Region(0, 0, (2, 2)))
        assert (source.state, source.live) == ("idle", True)
        next(source)
        assert (source.state, source.dropped, source.damaged) == ("live", 4, 2)
        inner.state = "frozen"
        assert source.state == "frozen"
        inner.state = "live"
        assert len(list(source)) == 1
        assert source.state == "ended"
        source.close()
        assert inner.closed

    def test_what_the_source_tells_goes_through(self, listed_source: Any) -> None:
        inner = listed_source([np.zeros((4, 6, 3), np.uint8)] * 3, live=True)
        inner.reopens, inner.longest_gap, inner.tells, inner.grade = False, 7.0, True, "fair"
        inner.state = "live"  # what tells of itself sets it
        changes: list[StateChange] = []
        with TransformedConnection(inner, Region(0, 0, (2, 2))) as source:
            source.on_change = changes.append
            assert (source.reopens, source.longest_gap, source.tells) == (False, 7.0, True)
            inner.packets_lost, inner.keyframes, inner.reconnects, inner.stalls, inner.jitter_ms = 3, 1, 2, 5, 0.5
            next(source)
            assert (source.packets_lost, source.keyframes, source.jitter_ms) == (3, 1, 0.5)
            assert (source.reconnects, source.stalls, source.grade) == (2, 5, "fair")
            change = StateChange("stalled", "poor", "No frame came.", 1)
            assert inner.on_change is not None
            inner.on_change(change)
        assert changes == [change]

    def test_interrupt_and_errors_go_through(self, listed_source: Any) -> None:
        inner = listed_source([np.zeros((4, 6, 3), np.uint8), SourceError("It was lost.")])
        with TransformedConnection(inner, flip="vertical") as source:
            next(source)
            with pytest.raises(SourceError, match="It was lost"):
                next(source)
            assert source.state == "lost"
        inner = listed_source([np.zeros((4, 6, 3), np.uint8)])
        with TransformedConnection(inner, flip="vertical") as source:
            source.interrupt()
            assert source.read() is None
            assert inner.read() is None

    def test_may_stand_in_front_of_a_connected_source(self, video: Path) -> None:
        with TransformedConnection(open_source(video), Region(0, 0, (10, 20)), "clockwise") as source:
            assert (source.state, source.size) == ("live", (20, 10))
            assert next(source).image.shape == (20, 10, 3)


class TestRate:
    def test_of_a_video_takes_the_frames_that_are_due(self, video: Path) -> None:
        with open_source(f"{video}#fps=5") as source:  # 12.5 frames a second, 20 of them
            assert (source.fps, source.length) == (5.0, 8)
            frames = list(source)
        taken = [0, 3, 5, 8, 10, 13, 15, 18]
        assert [frame.index for frame in frames] == taken
        assert [frame.time for frame in frames] == pytest.approx([index / 12.5 for index in taken])

    def test_of_a_variable_rate_goes_by_its_times(self) -> None:
        times = [0.0, 0.01, 0.02, 0.5, 0.51, 1.0, 1.49, 1.5, 2.9]
        with RatedConnection(Timed(list(times)), 2) as source:
            assert [frame.time for frame in source] == [0.0, 0.5, 1.0, 1.5, 2.9]

    def test_higher_than_the_videos_changes_nothing(self, video: Path) -> None:
        with open_source(f"{video}#fps=100") as source:
            assert (source.fps, source.length) == (12.5, 20)
            assert len(list(source)) == 20

    def test_of_images_gives_them_times(self, tmp_path: Path, write_image: Write) -> None:
        for name in "abc":
            write_image(tmp_path / f"{name}.png")
        with open_source(f"{tmp_path}#fps=4") as source:
            assert source.fps == 4
            assert [(frame.name, frame.time) for frame in source] == [("a", 0.0), ("b", 0.25), ("c", 0.5)]


class TestLoop:
    def test_goes_on_with_index_and_time(self, write_video: Write, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", 3)
        with open_source(f"{path}#loop=3") as source:
            assert (source.length, source.fps) == (9, 12.5)
            frames = list(source)
        assert [frame.index for frame in frames] == list(range(9))
        assert [frame.name for frame in frames] == [f"{index:06d}" for index in range(9)]
        assert [frame.time for frame in frames] == pytest.approx([index / 12.5 for index in range(9)])
        assert np.array_equal(frames[1].image, frames[7].image)
        assert source.state == "ended"

    def test_without_end_is_interrupted(self, write_image: Write, tmp_path: Path) -> None:
        path = write_image(tmp_path / "a.png")
        with open_source(f"{path}#loop=true&fps=2") as source:
            assert source.length is None
            frames = [next(source) for _ in range(5)]
            assert [(frame.index, frame.name, frame.time) for frame in frames] == [
                (index, "a", index / 2) for index in range(5)
            ]
            source.interrupt()
            assert list(source) == []

    def test_keeps_the_descriptors_flat(self, write_video: Write, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", 3)
        descriptors = Path("/proc/self/fd")
        with open_source(f"{path}#loop=true") as source:
            for _ in range(3):
                next(source)
            before = len(list(descriptors.iterdir()))
            for _ in range(150):
                next(source)
            assert len(list(descriptors.iterdir())) == before

    def test_ends_with_the_error_of_a_file_that_is_cut_off(self, write_video: Write, tmp_path: Path) -> None:
        content = write_video(tmp_path / "a.avi", 60).read_bytes()
        (tmp_path / "a.avi").write_bytes(content[: len(content) * 7 // 10])
        with open_source(f"{tmp_path / 'a.avi'}#loop=true") as source, pytest.raises(SourceError, match="cut off"):
            list(source)

    def test_false_is_once(self, video: Path) -> None:
        with open_source(f"{video}#loop=false") as source:
            assert len(list(source)) == 20

    @pytest.mark.parametrize("text", ["0", "-1", "yes", "1.5"])
    def test_that_makes_no_sense(self, video: Path, text: str) -> None:
        with pytest.raises(UsageError, match="true, or the number of times"):
            SourceAddress.of(f"{video}#loop={text}").connection()


class TestPace:
    def test_is_that_of_the_times(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fcn_edge.runtime.sources.paced.LATE_NS", 60 * 10**9)  # a busy machine moves no clock
        inner, frames = Held([5.0, 5.1, 5.3], fps=10.0), []
        with PacedConnection(inner) as source:
            for frame in source:
                frames.append(frame)
                inner.go.release()
            assert source.live
        after = [(frame.captured_ns - frames[0].captured_ns) / 1e9 for frame in frames]
        assert after == pytest.approx([0.0, 0.1, 0.3], abs=1e-6)
        unix = [(frame.captured_unix_ns - frames[0].captured_unix_ns) / 1e9 for frame in frames]
        assert unix == pytest.approx([0.0, 0.1, 0.3], abs=1e-6)

    def test_no_frame_comes_before_it_is_due(self) -> None:
        with PacedConnection(Timed([None] * 4, fps=20)) as source:
            for frame in source:
                assert time.monotonic_ns() >= frame.captured_ns

    def test_a_slow_reader_gets_the_newest_and_the_rest_is_counted(self) -> None:
        inner = Held([index / 100 for index in range(30)], fps=100)
        with PacedConnection(inner) as source:
            first = next(source)
            inner.go.release(30)
            until(lambda: source.dropped == 28)
            rest = list(source)
        assert first.index == 0
        assert [frame.index for frame in rest] == [29]
        assert source.dropped == 28

    def test_a_source_that_cannot_keep_it_plays_more_slowly_and_its_frames_do_not_age_without_end(self) -> None:
        class Slow(Timed):
            def _next(self, timeout: float) -> Picture | None:
                time.sleep(0.05)
                return super()._next(timeout)

        began = time.monotonic()
        with PacedConnection(Slow([index / 1000 for index in range(20)], fps=1000)) as source:
            ages = [(time.monotonic_ns() - frame.captured_ns) / 1e9 for frame in source]
        # it shows that it was late, and no more with each frame: all of them take a second
        assert 0.15 < ages[-1] < time.monotonic() - began - 0.3

    def test_begins_with_the_first_read(self) -> None:
        with PacedConnection(Timed([0.0, 0.05], fps=20)) as source:
            source.connect()
            time.sleep(0.2)
            before = time.monotonic_ns()
            assert next(source).captured_ns >= before

    def test_needs_times_or_a_rate(self, tmp_path: Path, write_image: Write) -> None:
        write_image(tmp_path / "a.png")
        with pytest.raises(UsageError, match="no rate to be played at"):
            run(str(tmp_path), Segmenter(FakeEngine()), realtime=True)
        report = run(f"{tmp_path}#fps=50", Segmenter(FakeEngine()), realtime=True)
        assert (report.frames, report.sources[0].live) == (1, True)

    def test_is_interrupted_while_it_waits(self) -> None:
        with PacedConnection(Timed([0.0, 3600.0], fps=1)) as source:
            next(source)
            waker = threading.Timer(0.1, source.interrupt)
            waker.start()
            assert source.read() is None
            waker.join()
            assert source.state == "ended"

    def test_errors_come_after_the_frames(self) -> None:
        with PacedConnection(Timed([0.0], fps=10, error=SourceError("It is cut off."))) as source:
            next(source)
            with pytest.raises(SourceError, match="cut off"):
                next(source)
            assert source.state == "lost"

    def test_of_a_live_source_is_its_own(self, listed_source: Any) -> None:
        inner = listed_source([np.zeros((4, 6, 3), np.uint8)] * 3, live=True)
        with PacedConnection(inner) as source:
            assert len(list(source)) == 3

    def test_of_a_run_leaves_the_callers_connection_open(self) -> None:
        inner = Timed([index / 50 for index in range(500)], fps=50)
        run(inner, Segmenter(FakeEngine()), realtime=True, frames=2)
        assert (inner.closes, inner.state) == (0, "live")

    def test_of_a_run_ends_in_time_and_closes_the_file(self, video: Path) -> None:
        events: list[Event] = []
        report = run(f"{video}#loop=true", Segmenter(FakeEngine()), (), [events.append], seconds=0.5, realtime=True)
        assert 0 < report.frames <= 20
        states = [event.state for event in events if isinstance(event, SourceChanged)]
        assert states == ["connecting", "live", "ended"]

    def test_of_a_stream(self, video: Path) -> None:
        results = list(stream(Segmenter(FakeEngine()), video, realtime=True, frames=3))
        apart = results[-1].frame.captured_ns - results[0].frame.captured_ns
        assert apart >= 2 / 12.5 * 1e9 - 1e6
