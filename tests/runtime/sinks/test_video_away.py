"""Videos of a camera that is away for a while."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.signal import no_signal_picture
from fcn_edge.runtime.sinks import Overlays, Sink, SinkContext, open_sink
from fcn_edge.runtime.sinks.encoders.choice import chosen, chosen_for_webm
from fcn_edge.runtime.sinks.recording import Recording
from fcn_edge.runtime.sinks.segments import Segments
from fcn_edge.runtime.sinks.stand_in import StandIn
from fcn_edge.runtime.sinks.video_file import VideoFile
from fcn_edge.runtime.sources import open_source
from fcn_edge.runtime.sources.base import State
from tests.waits import until

av = pytest.importorskip("av")

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeResult = Callable[..., Result]
LIVE = SinkContext(Overlays(), fps=25.0, live=True)
CAMERA = "drive.mp4"
EVERY = 0.02
"""Seconds between two pictures of these tests while the camera is away."""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.runtime.sinks.video.STAND_IN_EVERY", EVERY)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Of each picture that went into a video, whether it was the one before too."""
    pictures: list[bool] = []
    write = Recording.write

    def noted(self: Recording, image: Any, time_ns: int, again: bool = False) -> None:
        write(self, image, time_ns, again)
        pictures.append(again)

    monkeypatch.setattr(Recording, "write", noted)
    return pictures


class Camera:
    """A camera whose frames a sink takes; its own clock starts anew each time that it comes back."""

    def __init__(self, sink: Sink, make_result: MakeResult) -> None:
        self._sink = sink
        self._result = make_result(20, 120, 160)
        self.captured: list[float] = []

    def gives(self, count: int, has_times: bool = True, delay: float = 0.0) -> None:
        start = time.monotonic()
        for _ in range(count):
            captured = time.monotonic() - delay
            seconds = 100 + captured - start if has_times else None
            frame = dataclasses.replace(self._result.frame, time=seconds, captured_ns=round(captured * 1e9), live=True)
            until(lambda: not self._sink._backlog.full)  # type: ignore[attr-defined]
            self._sink.write(dataclasses.replace(self._result, frame=frame))
            self.captured.append(captured)
            time.sleep(EVERY)

    def becomes(self, state: State) -> None:
        self._sink.heard(SourceChanged(CAMERA, state))


def shown_in(*paths: Path) -> list[tuple[float, bool]]:
    """When each picture of a video is shown, and whether it says that there is no signal, by its look."""
    shown = []
    start = 0.0
    for path in paths:
        with open_source(path) as source:
            for frame in source:
                image = frame.image
                assert isinstance(image, np.ndarray)
                assert frame.time is not None
                top = image[8:30, 8:70].astype(int)
                is_gray = np.ptp(top, axis=2).mean() < 12
                assert is_gray == (top.mean() < 80), "neither a frame nor the no-signal picture"
                if is_gray:
                    assert image[50:70, 40:120].max() > 150, "it has text"
                shown.append((start + frame.time, is_gray))
    return shown


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".webm"])
def test_shows_the_outage_and_goes_on_in_the_same_file_with_the_right_times(
    tmp_path: Path, make_result: MakeResult, written: list[bool], suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    with open_sink(str(path), dataclasses.replace(LIVE, fps=1 / EVERY)) as sink:
        camera = Camera(sink, make_result)
        camera.gives(5)
        camera.becomes("lost")
        until(lambda: sum(written) > 5)
        camera.becomes("live")
        camera.gives(5)
    assert sink.wrote == (path,)
    assert sink.dropped == 0
    shown = shown_in(path)
    assert len(shown) >= len(written) - 2 * (suffix == ".avi"), "an AVI leaves out what comes faster than its rate"
    times = [seconds for seconds, _ in shown]
    assert times == sorted(set(times))
    order = [(away, len(list(group))) for away, group in itertools.groupby(away for _, away in shown)]
    assert [away for away, _ in order] == [False, True, False]
    assert (order[0][1], order[2][1]) == (5, 5)
    expected = camera.captured[-1] - camera.captured[0]
    assert times[-1] - times[0] == pytest.approx(expected, abs=0.1)


def test_tells_the_captures_over_the_outage(tmp_path: Path, make_result: MakeResult, written: list[bool]) -> None:
    with open_sink(str(tmp_path / "out.mp4"), LIVE) as sink:
        camera = Camera(sink, make_result)
        camera.gives(3, has_times=False)
        camera.becomes("stalled")
        until(lambda: sum(written) > 3)
        camera.becomes("live")
        camera.gives(20, has_times=False, delay=0.05)  # captured before the last no-signal picture was made
    frames = [seconds for seconds, away in shown_in(tmp_path / "out.mp4") if not away]
    expected = [seconds - camera.captured[0] for seconds in camera.captured]
    assert frames[-10:] == pytest.approx(expected[-10:], abs=0.001)


def test_goes_on_before_the_state_says_so(
    tmp_path: Path, make_result: MakeResult, written: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcn_edge.runtime.signal.SILENT_NS", 60_000_000_000)
    with open_sink(str(tmp_path / "out.mp4"), LIVE) as sink:
        camera = Camera(sink, make_result)
        camera.gives(1)
        camera.becomes("lost")
        until(lambda: sum(written) > 2)
        camera.gives(1)
        until(lambda: not written[-1])
        count = len(written)
        time.sleep(10 * EVERY)
        assert len(written) == count, "nothing stands in for a camera that gives pictures"


def test_nothing_is_made_up_before_the_first_frame(tmp_path: Path) -> None:
    with open_sink(str(tmp_path / "out.mp4"), LIVE) as sink:
        sink.heard(SourceChanged(CAMERA, "lost"))
        time.sleep(5 * EVERY)
    assert list(tmp_path.iterdir()) == []


def test_a_silent_camera_that_is_not_away_gets_nothing(
    tmp_path: Path, make_result: MakeResult, written: list[bool]
) -> None:
    with open_sink(str(tmp_path / "out.mp4"), LIVE) as sink:
        Camera(sink, make_result).gives(2)
        time.sleep(10 * EVERY)
    assert len(written) == 2


def test_a_file_gets_nothing(tmp_path: Path, make_result: MakeResult, written: list[bool]) -> None:
    with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(LIVE, live=False)) as sink:
        sink.write(make_result())
        sink.heard(SourceChanged(CAMERA, "lost"))
        time.sleep(10 * EVERY)
    assert len(written) == 1


def test_nothing_is_appended_after_the_end(tmp_path: Path, make_result: MakeResult, written: list[bool]) -> None:
    with open_sink(str(tmp_path / "out.mp4"), LIVE) as sink:
        camera = Camera(sink, make_result)
        camera.gives(2)
        camera.becomes("lost")
        until(lambda: sum(written) > 2)
        sink.finish()
    content = (tmp_path / "out.mp4").read_bytes()
    time.sleep(5 * EVERY)
    assert (tmp_path / "out.mp4").read_bytes() == content
    assert [away for _, away in shown_in(tmp_path / "out.mp4")][2:] == [True] * (len(written) - 2)


def test_a_series_is_cut_on(tmp_path: Path, make_result: MakeResult, written: list[bool]) -> None:
    with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(LIVE, segment=0.2)) as sink:
        camera = Camera(sink, make_result)
        camera.gives(3)
        camera.becomes("lost")
        until(lambda: len(sink.wrote) >= 3)
        camera.becomes("live")
        camera.gives(3)
    files = sorted(tmp_path.iterdir())
    assert sink.wrote == tuple(files)
    parts = [shown_in(path) for path in files]
    assert all(part[0][0] == 0 for part in parts)
    assert all(away for _, away in parts[1])
    assert not parts[-1][-1][1]
    assert sum(map(len, parts)) == len(written)


def test_mpeg4_shows_the_outage_too(
    tmp_path: Path, make_result: MakeResult, written: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with open_sink(str(tmp_path / "out.mp4"), dataclasses.replace(LIVE, fps=1 / EVERY)) as sink:
        camera = Camera(sink, make_result)
        camera.gives(2)
        camera.becomes("lost")
        until(lambda: sum(written) > 5)
        camera.becomes("live")
        camera.gives(5)
    monkeypatch.undo()
    shown = shown_in(tmp_path / "out.mp4")
    assert [away for away, _ in itertools.groupby(away for _, away in shown)] == [False, True, False]


def noisy(height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return no_signal_picture(noise, (height, width), 0)


def recorded(path: Path, duration: int, **how: Any) -> None:
    """The no-signal picture for so many seconds of video, twice a second, in one moment."""
    recording = Recording(path, 25.0, True, chosen("libx264"), **how)
    picture = noisy()
    for index in range(2 * duration):
        recording.write(picture, index * 500_000_000, again=index > 0)
    recording.close()


def packets_of(path: Path) -> list[tuple[float, int, bool]]:
    """Time, bytes and whether it is a keyframe, of each picture."""
    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), packet.size, packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.size
        ]


def test_the_same_picture_takes_no_room(tmp_path: Path) -> None:
    recorded(tmp_path / "out.mp4", 600)
    packets = packets_of(tmp_path / "out.mp4")
    assert [seconds for seconds, _, _ in packets] == pytest.approx([index / 2 for index in range(1200)])
    keys = [seconds for seconds, _, is_key in packets if is_key]
    assert keys == pytest.approx([0, 120, 240, 360, 480], abs=0.01)
    assert sum(size for _, size, is_key in packets if not is_key) < 0.5 * sum(size for _, size, _ in packets)


def test_a_series_of_it_keeps_its_limit(tmp_path: Path) -> None:
    keep = 300_000
    recorded(tmp_path / "out.mp4", 900, segments=Segments(tmp_path / "out.mp4", keep), seconds=60.0)
    files = sorted(tmp_path.iterdir())
    assert files[0].name > "out-000000.mp4", "some were deleted"
    assert sum(path.stat().st_size for path in files) <= keep
    assert [len(packets_of(path)) for path in files] == [120] * len(files)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".webm"])
def test_it_plays_up_to_two_seconds_before_a_kill_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path, copy = tmp_path / f"out{suffix}", tmp_path / f"copy{suffix}"
    states: list[tuple[int, bytes]] = []
    write = VideoFile.write
    taken = 0

    def seen(file: VideoFile, data: bytes) -> int:
        size = write(file, data)
        states.append((taken, path.read_bytes()))
        return size

    monkeypatch.setattr(VideoFile, "write", seen)
    choice = chosen_for_webm("auto") if suffix == ".webm" else chosen("libx264")
    recording = Recording(path, 25.0, True, choice)
    picture = noisy()
    for index in range(60):
        recording.write(picture, index * 500_000_000, again=index > 0)
        taken = index + 1
    recording.close()
    for (_, content), (count, _) in itertools.pairwise(states):
        if count > 5:  # until then there was this to play
            copy.write_bytes(content)
            assert len(packets_of(copy)) >= count - 5
    assert len(packets_of(path)) == 60


def test_the_picture_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = StandIn()
    frame = np.full((120, 160, 3), 200, np.uint8)
    stand_in.follows(frame)
    first, again = stand_in.picture(7)
    assert (first.shape, again) == ((120, 160, 3), False)
    assert stand_in.picture(7) == (first, True)
    other, again = stand_in.picture(90_000_000_000)
    assert not again
    assert not np.array_equal(other, first)
    stand_in.follows(frame)
    assert not stand_in.picture(90_000_000_000)[1], "a frame was shown in between"

    class Tomorrow:
        today = staticmethod(lambda: "tomorrow")

    monkeypatch.setattr("fcn_edge.runtime.sinks.stand_in.date", Tomorrow)
    assert not stand_in.picture(90_000_000_000)[1], "it tells the day from midnight on"


WRITER = """
import sys
import time
import numpy as np
from fcn_edge.backends.base import Timing
from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink
from fcn_edge.testing.engine import fake_spec

image = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
labels = np.zeros((96, 128), np.uint8)
sink = open_sink(sys.argv[1], SinkContext(Overlays(), 25, live=True))
started = time.monotonic_ns()
frame = Frame(image, 0, started, "0", source="camera", live=True)
sink.write(Result(frame, Segmentation(image, labels, fake_spec(), Timing()), 1))
sink.heard(SourceChanged("camera", "lost"))
print("away", flush=True)
time.sleep(60)
"""


@pytest.mark.system
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm"])
def test_a_killed_process_leaves_the_outage_up_to_its_last_seconds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"away\n"
        time.sleep(6)
        process.kill()
    assert packets_of(path)[-1][0] >= 6 - 2.5
