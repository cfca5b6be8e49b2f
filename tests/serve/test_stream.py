"""The video of one source for browsers."""

from __future__ import annotations

import io
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from typing_extensions import override

pytest.importorskip("av")

from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.sinks.encoders.base import EncoderError
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.encoders.libx264 import Libx264Encoder
from fcn_edge.serve import stream as module
from fcn_edge.serve.messages import HEADER, Message
from fcn_edge.serve.stream import SourceVideo
from tests.waits import until

PATIENCE = 20.0
SOURCE = "drive.mp4"


class Counting(Libx264Encoder):
    """Counts the encoders that are made, those that are closed, and their pictures."""

    made = closed = pictures = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1

    @override
    def encode(self, planes, ticks, keyframe):  # type: ignore[no-untyped-def]
        type(self).pictures += 1
        return super().encode(planes, ticks, keyframe)

    @override
    def close(self) -> None:
        type(self).closed += 1
        super().close()


@dataclass(frozen=True)
class Taken:
    """A message, taken apart."""

    kind: int
    flags: int
    source: int
    ticks: int
    unix_us: int
    first: bytes
    second: bytes

    @classmethod
    def of(cls, message: Message) -> Taken:
        kind, flags, source, zero, ticks, unix_us, first, second = HEADER.unpack_from(message.data)
        assert zero == 0
        assert len(message.data) == HEADER.size + first + second
        parts = message.data[HEADER.size :]
        return cls(kind, flags, source, ticks, unix_us, parts[:first], parts[first:])

    @property
    def mask(self) -> NDArray[np.uint8]:
        height, width = np.frombuffer(self.second, "<u2", 2)
        return np.frombuffer(zlib.decompress(self.second[4:], -15), np.uint8).reshape(height, width)


class Bench:
    """A video and what it published."""

    def __init__(self, make_result: Callable[..., Result]) -> None:
        self._make = make_result
        self._changed = threading.Condition()
        self.messages: list[Message] = []
        self.video = SourceVideo(7, Choice("libx264", Counting), self._publish)

    def put(self, index: int) -> None:
        result = self._make(index)
        frame = replace(result.frame, captured_ns=(index + 1) * 40_000_000, captured_unix_ns=index * 1_000_000)
        self.video.put(replace(result, frame=frame))

    def put_and_wait(self, index: int) -> Taken:
        count = len(self.messages)
        self.put(index)
        self.wait(lambda: len(self.messages) > count and not self.messages[-1].init)
        return Taken.of(self.messages[-1])

    def wait(self, come: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(come, PATIENCE)

    def _publish(self, message: Message) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()


@pytest.fixture
def bench(make_result: Callable[..., Result]) -> Iterator[Bench]:
    Counting.made = Counting.closed = Counting.pictures = 0
    made = Bench(make_result)
    yield made
    made.video.close()


def test_a_viewer_gets_the_init_segment_then_each_picture_with_its_mask(bench: Bench) -> None:
    bench.video.watch(True)
    taken = [bench.put_and_wait(index) for index in range(30)]
    init = Taken.of(bench.messages[0])
    assert (init.kind, init.source, init.first[:5]) == (1, 7, b"avc1.")
    assert bench.messages[0].init
    assert not any(message.init for message in bench.messages[1:])
    assert [one.ticks for one in taken] == [3600 * index for index in range(30)]
    assert [one.unix_us for one in taken] == [1000 * index for index in range(30)]
    assert [one.flags for one in taken] == [1 if index in (0, 25) else 0 for index in range(30)]
    assert all(np.array_equal(np.unique(one.mask), [0, 3]) and one.mask[0, 0] == 3 for one in taken)
    import av

    with av.open(io.BytesIO(init.second + b"".join(one.first for one in taken))) as video:
        levels = [float(frame.to_ndarray(format="gray").mean()) for frame in video.decode(video=0)]
    assert levels == pytest.approx([10 * index % 256 for index in range(30)], abs=4)


def test_nothing_is_encoded_while_nobody_looks(bench: Bench) -> None:
    for index in range(5):
        bench.put(index)
    assert Counting.made == 0
    bench.video.watch(True)
    bench.wait(lambda: len(bench.messages) == 2)
    bench.video.watch(False)
    for index in range(6, 20):
        bench.put(index)
    assert (Counting.made, Counting.pictures) == (1, 1)


def test_who_looks_first_gets_the_last_picture_at_once(bench: Bench) -> None:
    bench.put(0)
    bench.put(1)
    for count in (2, 3):  # the second time the encoder still runs
        bench.video.watch(True)
        bench.wait(lambda count=count: len(bench.messages) == count)  # type: ignore[misc]
        bench.video.watch(False)
        taken = Taken.of(bench.messages[-1])
        assert (taken.flags, taken.unix_us) == (1, 1000)
    assert Counting.made == 1
    bench.video.heard(SourceChanged(SOURCE, "lost"))
    bench.video.watch(True)
    bench.wait(lambda: len(bench.messages) == 4)
    assert Taken.of(bench.messages[-1]).flags == 3


def test_the_encoder_is_let_go_when_nobody_has_looked_for_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 0.05)
    bench.video.watch(True)
    bench.put_and_wait(0)
    bench.video.watch(False)
    until(lambda: Counting.closed == 1)
    bench.video.watch(True)
    bench.wait(lambda: len(bench.messages) == 4)
    again = Taken.of(bench.messages[-1])
    assert (again.flags, again.ticks) == (1, 0)
    assert [message.init for message in bench.messages] == [True, False, True, False]


def test_who_comes_back_at_once_finds_the_same_stream(bench: Bench) -> None:
    bench.video.watch(True)
    bench.put_and_wait(0)
    bench.video.watch(False)
    bench.video.watch(True)
    bench.wait(lambda: len(bench.messages) == 3)
    assert bench.put_and_wait(1).ticks == 3600
    assert Counting.made == 1


def test_while_the_camera_is_away_a_picture_says_so_in_the_same_stream(bench: Bench) -> None:
    bench.video.watch(True)
    bench.put_and_wait(0)
    bench.video.heard(SourceChanged(SOURCE, "lost"))
    bench.wait(lambda: len(bench.messages) >= 5)
    away = [Taken.of(message) for message in bench.messages[2:5]]
    assert {one.flags & 2 for one in away} == {2}
    assert {one.second for one in away} == {b""}
    bench.video.heard(SourceChanged(SOURCE, "live"))
    until(lambda: not bench.put_and_wait(int(time.monotonic() * 25)).flags & 2)
    ticks = [Taken.of(message).ticks for message in bench.messages[1:]]
    assert ticks == sorted(set(ticks))
    assert Counting.made == 1


def test_closing_ends_the_thread_and_the_encoder(bench: Bench) -> None:
    bench.video.watch(True)
    bench.put_and_wait(0)
    bench.video.close()
    bench.video.close()
    bench.video.watch(True)
    bench.put(1)
    assert (Counting.made, Counting.closed) == (1, 1)
    assert not any(thread.name == "fcn-edge live page" for thread in threading.enumerate())


@pytest.fixture
def large_result(make_result: Callable[..., Result]) -> Result:
    """A result of twice the size."""
    result = make_result(40)
    image = np.repeat(np.repeat(result.segmentation.frame, 2, axis=0), 2, axis=1)
    labels = np.repeat(np.repeat(result.labels, 2, axis=0), 2, axis=1)
    return replace(
        result,
        frame=replace(result.frame, captured_ns=2_000_000_000),
        segmentation=replace(result.segmentation, image=image, labels=labels),
    )


def test_pictures_of_another_size_are_another_stream(bench: Bench, large_result: Result) -> None:
    bench.video.watch(True)
    small = bench.put_and_wait(0)
    count = len(bench.messages)
    bench.video.put(large_result)
    bench.wait(lambda: len(bench.messages) == count + 2)
    assert [message.init for message in bench.messages] == [True, False, True, False]
    large = Taken.of(bench.messages[-1])
    assert large.flags == 1
    assert large.ticks > small.ticks
    assert large.mask.shape == tuple(2 * side for side in small.mask.shape)
    import av

    init = Taken.of(bench.messages[-2])
    with av.open(io.BytesIO(init.second + large.first)) as video:
        [frame] = video.decode(video=0)
    assert (frame.height, frame.width) == large_result.segmentation.frame.shape[:2]


def test_pictures_after_a_card_without_one_have_their_own_size(bench: Bench) -> None:
    bench.video.heard(SourceChanged(SOURCE, "lost"))
    bench.video.watch(True)
    bench.wait(lambda: len(bench.messages) >= 2)
    bench.video.heard(SourceChanged(SOURCE, "live"))
    count = len(bench.messages)
    until(lambda: not bench.put_and_wait(int(time.monotonic() * 25)).flags & 2)
    assert [message.init for message in bench.messages[count:]].count(True) == 1


def test_times_go_on_where_the_camera_s_clock_goes_back(bench: Bench) -> None:
    bench.video.watch(True)
    for index in (10_000, 10_001, 0, 1):
        bench.put_and_wait(index)
    assert [message.init for message in bench.messages] == [True, False, False, False, False]
    assert [Taken.of(message).ticks for message in bench.messages[1:]] == [0, 3600, 7200, 10800]


@pytest.mark.parametrize("error", [EncoderError("The board's encoder is gone."), ValueError("nobody expected this")])
def test_what_fails_is_told_once_and_tried_again(
    make_result: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.02)
    tries = 0

    def make() -> Libx264Encoder:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise error
        return Counting()

    bench = Bench(make_result)
    bench.video = SourceVideo(7, Choice("libx264", make), bench._publish)
    try:
        bench.video.watch(True)
        until(lambda: bench.put(0) or bool(bench.messages))  # type: ignore[func-returns-value]
    finally:
        bench.video.close()
    assert tries == 4
    assert [record.message.count("no video of a source") for record in caplog.records] == [1]


def test_after_a_failure_times_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.02)
    bench.video.watch(True)
    bench.put_and_wait(0)
    last = bench.put_and_wait(1).ticks

    def fails(*_: object) -> None:
        raise EncoderError("The board's encoder is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(Counting, "encode", fails)
        bench.put(2)
        until(lambda: Counting.closed == 1)
    count = len(bench.messages)
    until(lambda: bench.put(3) or len(bench.messages) > count + 1)  # type: ignore[func-returns-value]
    init, first = bench.messages[count : count + 2]
    assert (init.init, init.data) == (True, bench.messages[0].data)
    assert Taken.of(first).flags == 1
    assert Taken.of(first).ticks > last


def test_an_encoder_that_hangs_keeps_nobody_waiting(make_result: Callable[..., Result]) -> None:
    let_go, hangs = threading.Event(), threading.Event()

    class Hanging(Libx264Encoder):
        @override
        def encode(self, planes, ticks, keyframe):  # type: ignore[no-untyped-def]
            hangs.set()
            let_go.wait(PATIENCE)
            return super().encode(planes, ticks, keyframe)

    over: list[int] = []
    bench = Bench(make_result)
    bench.video = SourceVideo(7, Choice("libx264", Hanging), bench._publish, over.append)
    try:
        bench.video.watch(True)
        bench.put(0)
        assert hangs.wait(PATIENCE)
        bench.put(1)
        bench.video.watch(False)
        bench.video.watch(True)
        bench.video.end()
        bench.video.close(0.01)
        assert not let_go.is_set()
        assert over == []
    finally:
        let_go.set()
    bench.video.close(PATIENCE)
    assert over == [7]
