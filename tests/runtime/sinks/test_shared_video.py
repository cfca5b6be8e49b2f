"""The one encode of a source's overlays: who takes it, who makes it, and that nobody makes it for nobody."""

from __future__ import annotations

import dataclasses
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("av")

from fcn_edge.errors import MachineError
from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks import Overlays, SinkContext, open_sink, shared_video
from fcn_edge.runtime.sinks.encoders import choice as choices
from fcn_edge.runtime.sinks.encoders.base import Encoder, EncoderError
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.runtime.sinks.encoders.units import AccessUnit
from fcn_edge.runtime.sinks.shared_video import SharedVideo
from fcn_edge.runtime.sinks.video_writer import VideoWriter
from tests.waits import until

from .test_video import times_of

pytestmark = pytest.mark.usefixtures("no_thread_left")

MakeResult = Callable[..., Result]
SPS = b"\0\0\0\1\x67"


class Counting(Libx264Encoder):
    """Counts those that are made, and the pictures of all."""

    made: ClassVar[list[Encoder]] = []
    pictures = 0

    def __init__(self) -> None:
        super().__init__()
        Counting.made.append(self)

    def encode(self, planes, ticks, keyframe):  # type: ignore[no-untyped-def]
        Counting.pictures += 1
        return super().encode(planes, ticks, keyframe)


COUNTING = Choice("libx264", Counting)


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Counting.made, Counting.pictures = [], 0
    monkeypatch.setattr(choices, "Libx264Encoder", Counting)
    yield
    Counting.made = []


class Taker:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.units: list[AccessUnit] = []
        self.times: list[int] = []

    def __call__(self, unit: AccessUnit, time_ns: int) -> None:
        self.units.append(unit)
        self.times.append(time_ns)

    def pictures(self) -> list[NDArray[np.uint8]]:
        import av

        with av.open(io.BytesIO(b"".join(unit.data for unit in self.units)), format="h264") as stream:
            return [frame.to_ndarray(format="bgr24") for frame in stream.decode(video=0)]


def taken_now(result: Result) -> Result:
    frame = dataclasses.replace(result.frame, captured_ns=time.monotonic_ns(), live=True)
    return dataclasses.replace(result, frame=frame)


@pytest.fixture
def video() -> Iterator[SharedVideo]:
    with SharedVideo(Overlays(), 25.0, lambda: COUNTING) as shared:
        yield shared


@pytest.fixture
def show(video: SharedVideo, make_result: MakeResult) -> Callable[..., Result]:
    """Shows one result, and waits until it is encoded where that is expected."""

    def one(index: int = 0, encoded: bool = True, **more: int) -> Result:
        result, before = taken_now(make_result(index, **more)), Counting.pictures
        video.show(result)
        if encoded:
            until(lambda: Counting.pictures > before)
        return result

    return one


def test_nothing_is_encoded_while_nobody_takes_it(video: SharedVideo, show: Callable[..., Result]) -> None:
    for index in range(5):
        show(index, encoded=False)
    time.sleep(0.1)
    assert (Counting.made, Counting.pictures) == ([], 0)
    assert not [thread for thread in threading.enumerate() if thread.name == "fcn-edge live video"]


@pytest.mark.parametrize("takers", [1, 3])
def test_one_encode_serves_all(video: SharedVideo, show: Callable[..., Result], takers: int) -> None:
    took = [Taker() for _ in range(takers)]
    subscriptions = [video.subscribe(one) for one in took]
    for index in range(10):
        show(index)
    until(lambda: all(len(one.units) == 10 for one in took))
    assert (len(Counting.made), Counting.pictures) == (1, 10)
    assert all(one.units == took[0].units for one in took)
    for subscription in subscriptions:
        subscription.end()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "fcn-edge live video"])
    show(11, encoded=False)
    assert Counting.pictures == 10


def test_pictures_are_the_overlays_and_times_those_of_the_captures(
    video: SharedVideo, show: Callable[..., Result]
) -> None:
    took = Taker()
    video.subscribe(took)
    results = [show(index) for index in range(10)]
    until(lambda: len(took.units) == 10)
    assert took.units[0].data.startswith(SPS)
    for result, picture, time_ns in zip(results, took.pictures(), took.times, strict=True):
        assert abs(time_ns - result.frame.captured_ns) < 100_000
        expected = result.segmentation.overlay(0.5)
        assert np.abs(picture[8:-8, 40:].astype(int) - expected[8:-8, 40:]).mean() < 8


def test_one_who_joins_gets_the_picture_before_at_once(video: SharedVideo, show: Callable[..., Result]) -> None:
    show(7, encoded=False)
    took = Taker()
    video.subscribe(took)
    until(lambda: len(took.units) >= 1)
    late = Taker()
    video.subscribe(late)
    assert late.units == took.units[: len(late.units)]
    assert late.units[0].keyframe


def test_a_result_that_two_sinks_give_is_one_picture(video: SharedVideo, show: Callable[..., Result]) -> None:
    took = Taker()
    video.subscribe(took)
    video.show(show())
    time.sleep(0.1)
    assert Counting.pictures == 1


def test_another_size_is_fitted_into_the_stream(video: SharedVideo, show: Callable[..., Result]) -> None:
    took = Taker()
    video.subscribe(took)
    show(0)
    show(1, height=100, width=60)
    until(lambda: len(took.units) == 2)
    assert {unit.size for unit in took.units} == {(48, 64)}
    assert len(took.pictures()) == 2


def test_a_source_that_is_away_is_shown_as_that(video: SharedVideo, show: Callable[..., Result]) -> None:
    took = Taker()
    video.subscribe(took)
    show(20, height=240, width=320)
    video.heard(SourceChanged("drive.mp4", "lost"))
    until(lambda: len(took.units) >= 4)
    video.heard(SourceChanged("drive.mp4", "live"))
    show(20, height=240, width=320)
    seen = len(took.units)
    until(lambda: len(took.units) >= seen)
    levels = [picture.mean() for picture in took.pictures()]
    assert levels[1] < levels[0] / 2
    assert abs(levels[-1] - levels[0]) < 8
    assert took.times == sorted(set(took.times))


def test_a_slow_source_is_repeated(
    video: SharedVideo, show: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_video, "REPEATED_AFTER", 0.05)
    took = Taker()
    video.subscribe(took)
    show(20)
    until(lambda: len(took.units) >= 4)
    assert took.times == sorted(set(took.times))


def test_what_cannot_be_encoded_is_raised_by_the_next_picture(
    monkeypatch: pytest.MonkeyPatch, make_result: MakeResult
) -> None:
    def fails(*_: object) -> None:
        raise EncoderError("The encoder is gone.", "Take another.")

    monkeypatch.setattr(Counting, "encode", fails)
    with SharedVideo(Overlays(), 25.0, lambda: COUNTING) as video:
        video.subscribe(Taker())
        video.show(make_result(0))
        until(lambda: video._error is not None)
        with pytest.raises(MachineError, match="The encoder is gone"):
            video.show(make_result(1))


class TestFile:
    """A file of the same source is written meanwhile."""

    def context(self, video: SharedVideo | None, **more: object) -> SinkContext:
        return SinkContext(Overlays(), fps=25.0, live=True, video=video, **more)  # type: ignore[arg-type]

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
    @pytest.mark.parametrize("takers", [0, 1, 3])
    def test_its_encoder_serves_all(
        self, tmp_path: Path, video: SharedVideo, make_result: MakeResult, suffix: str, takers: int
    ) -> None:
        took = [Taker() for _ in range(takers)]
        for one in took:
            video.subscribe(one)
        with open_sink(str(tmp_path / f"out{suffix}"), self.context(video)) as sink:
            for index in range(30):
                result = taken_now(make_result(index % 20))
                sink.write(result)
                video.show(result)
                until(lambda index=index: Counting.pictures == index + 1)  # type: ignore[misc]
            assert len(Counting.made) == 1
        for one in took:
            assert len(one.units) == 30
            assert one.units[0].data.startswith(SPS)
            assert len(one.pictures()) == 30
            assert one.times == sorted(set(one.times))
        assert len(times_of(tmp_path / f"out{suffix}")) == 30

    def test_it_is_the_same_byte_for_byte(self, tmp_path: Path, video: SharedVideo, make_result: MakeResult) -> None:
        for name, shared in (("shared", video), ("own", None)):
            with open_sink(
                str(tmp_path / f"{name}.mp4"), dataclasses.replace(self.context(shared), live=False)
            ) as sink:
                for index in range(30):
                    sink.write(make_result(index % 20))
        assert (tmp_path / "shared.mp4").read_bytes() == (tmp_path / "own.mp4").read_bytes()

    def test_times_go_on_over_segments(self, tmp_path: Path, video: SharedVideo, make_result: MakeResult) -> None:
        took = Taker()
        video.subscribe(took)
        context = dataclasses.replace(self.context(video, segment=1.0), live=False)
        with open_sink(str(tmp_path / "out.mp4"), context) as sink:
            for index in range(12):
                sink.write(make_result(index))  # four a second
        assert len(sink.wrote) == 3
        assert len(took.units) == 12
        assert took.times == sorted(set(took.times))
        assert len(took.pictures()) == 12

    def test_what_follows_a_file_that_ended_is_encoded_here(
        self, tmp_path: Path, video: SharedVideo, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shared_video, "SILENT_NS", 200_000_000)
        took = Taker()
        video.subscribe(took)
        with open_sink(str(tmp_path / "out.mp4"), self.context(video)) as sink:
            for index in range(10):
                sink.write(taken_now(make_result(index)))
                video.show(taken_now(make_result(index)))
                time.sleep(0.02)
        until(lambda: len(Counting.made) == 2)
        before = len(took.units)
        video.show(taken_now(make_result(1)))
        until(lambda: len(took.units) > before)
        video.close()  # or one more may come between the two counts
        assert len(took.pictures()) == len(took.units)
        assert took.times == sorted(set(took.times))

    def test_a_file_that_fails_is_the_writers_matter(
        self, tmp_path: Path, video: SharedVideo, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(self: VideoWriter, *_: object) -> None:
            raise MachineError("The disk is full.", "Free some space.")

        monkeypatch.setattr(shared_video, "SILENT_NS", 200_000_000)
        monkeypatch.setattr("fcn_edge.runtime.sinks.encoded.EncodedWriter.write", fails)
        took = Taker()
        video.subscribe(took)
        sink = open_sink(str(tmp_path / "out.mp4"), self.context(video))
        sink.write(taken_now(make_result(0)))
        video.show(taken_now(make_result(0)))
        until(lambda: len(took.units) >= 1)
        with pytest.raises(MachineError, match="disk is full"):
            sink.close()

    def test_webm_is_no_h264(self, tmp_path: Path, video: SharedVideo, make_result: MakeResult) -> None:
        took = Taker()
        video.subscribe(took)
        with open_sink(str(tmp_path / "out.webm"), self.context(video)) as sink:
            for index in range(3):
                sink.write(taken_now(make_result(index)))
        assert not took.units


def test_whatever_an_encode_fails_with_is_raised(make_result: MakeResult) -> None:
    def broken() -> Choice:
        raise ValueError("nobody expected this")

    with SharedVideo(Overlays(), 25.0, broken) as video:
        video.subscribe(Taker())
        video.show(taken_now(make_result(0)))
        until(lambda: video._error is not None)
        with pytest.raises(ValueError, match="nobody expected"):
            video.show(taken_now(make_result(1)))


def test_a_picture_of_the_future_does_not_keep_those_of_now_waiting(
    video: SharedVideo, show: Callable[..., Result], make_result: MakeResult
) -> None:
    taker = Taker()
    video.subscribe(taker)
    result = taken_now(make_result(0))
    frame = dataclasses.replace(result.frame, captured_ns=result.frame.captured_ns + 3600 * 10**9)
    video.show(dataclasses.replace(result, frame=frame))
    until(lambda: len(taker.units) == 1)
    show(1)
    until(lambda: len(taker.units) == 2)
    assert max(taker.times) <= time.monotonic_ns() + 10**9
