from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Job
from fcn_edge.errors import DeviceError, FrameError, SourceError, UsageError
from fcn_edge.runtime.feed import WAITING, Feed
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.sources import Connection, EndOfSource, Picture
from fcn_edge.testing.engine import FakeEngine, FakeSession, brightness_scores, fake_spec

pytestmark = pytest.mark.usefixtures("no_thread_left")

Image = NDArray[np.uint8]
MakeSource = Callable[..., Any]


def noise(count: int, start: int = 0) -> list[Image]:
    """Images of different sizes, no two alike."""
    rng = np.random.default_rng(7)
    return [rng.integers(0, 256, (40 + i % 3, 60 + i % 5, 3), np.uint8) for i in range(start, start + count)]


def endless() -> Iterator[Image]:
    return itertools.cycle(noise(4))


def break_off(pipeline: Pipeline, error: type[BaseException]) -> None:
    """Fail with the fourth result in hand."""
    for count, _ in enumerate(pipeline):
        if count == 3:
            raise error


class TestResults:
    def test_are_the_masks_of_all_frames_in_order(self, listed_source: MakeSource) -> None:
        images = noise(25)
        with FakeSession() as session, Pipeline.of_one(session, listed_source(images)) as pipeline:
            results = list(pipeline)
        alone = FakeSession()
        assert [result.frame.index for result in results] == list(range(25))
        for image, result in zip(images, results, strict=True):
            assert result.frame.image is image
            assert np.array_equal(result.segmentation.labels, alone.labels(image))
            assert result.latency_ns > 0
            timing = result.segmentation.timing
            assert min(timing.capture, timing.preprocess, timing.infer, timing.decode) > 0

    def test_of_an_empty_source_are_none(self, listed_source: MakeSource) -> None:
        with Pipeline.of_one(FakeSession(), listed_source([])) as pipeline:
            assert list(pipeline) == []
        assert pipeline.statistics.frames == 0

    def test_are_counted(self, listed_source: MakeSource) -> None:
        with Pipeline.of_one(FakeSession(), listed_source(noise(7))) as pipeline:
            for _ in pipeline:
                pass
        report = pipeline.statistics.report([])
        assert (report["frames"], report["dropped"]) == (7, 0)
        assert report["fps"] == pytest.approx(7 / report["seconds"], rel=1e-3)
        assert all(value > 0 for value in report["stages_ms"].values())
        assert report["latency_ms"]["p50"] <= report["latency_ms"]["p90"] <= report["latency_ms"]["p99"]

    def test_carry_confidence_and_unknown_pixels_when_asked(self, listed_source: MakeSource) -> None:
        with Pipeline.of_one(FakeSession(), listed_source(noise(3)), unknown_below=1.0) as pipeline:
            for result in pipeline:
                confidence = result.segmentation.confidence
                assert confidence is not None
                assert np.all(result.segmentation.labels[confidence < 1.0] == fake_spec().void)

    def test_stop_after_a_number_of_frames(self, listed_source: MakeSource) -> None:
        source = listed_source(endless())
        with Pipeline.of_one(FakeSession(), source, frames=5) as pipeline:
            assert len(list(pipeline)) == 5
        assert source.given == 5
        assert pipeline.statistics.frames == 5

    def test_of_a_live_source_stop_after_a_number_of_frames(self, listed_source: MakeSource) -> None:
        with Pipeline.of_one(FakeSession(), listed_source(endless(), live=True), frames=5) as pipeline:
            assert len(list(pipeline)) == 5
        assert pipeline.statistics.frames == 5

    @pytest.mark.parametrize("live", [False, True])
    def test_stop_after_a_time(self, listed_source: MakeSource, live: bool) -> None:
        with Pipeline.of_one(FakeSession(), listed_source(endless(), live=live), seconds=0.05) as pipeline:
            assert list(pipeline)

    def test_that_nobody_takes_keep_memory_bounded(self, listed_source: MakeSource) -> None:
        source = listed_source(endless())
        in_hand = 2  # one frame in each thread
        with Pipeline.of_one(FakeSession(), source) as pipeline:
            for taken, _ in enumerate(pipeline, start=1):
                assert source.given <= taken + 2 * WAITING + in_hand
                if taken == 200:
                    break

    @pytest.mark.parametrize(("depth", "waiting"), [(1, WAITING), (2, WAITING), (5, 5)])
    def test_are_inferred_ahead_as_the_session_is_deep(
        self, listed_source: MakeSource, depth: int, waiting: int
    ) -> None:
        ahead = 1 + waiting + 1  # in the caller's hand, in the channel, in the inference thread's hand
        inferred = threading.Event()

        class Deep(FakeSession):
            def infer(self, job: Job) -> Job:
                done = super().infer(job)
                if self.calls.count("infer") == ahead:
                    inferred.set()
                return done

        session = Deep()
        session.depth = depth
        with session, Pipeline.of_one(session, listed_source(endless())) as pipeline:
            for _ in pipeline:
                assert inferred.wait(10)
                assert session.calls.count("infer") == ahead
                break


class TestLiveSource:
    def test_keeps_the_newest_frame_and_counts_the_dropped(self, listed_source: MakeSource) -> None:
        all_captured = threading.Event()

        def images() -> Iterator[Image]:
            yield from noise(10)
            all_captured.set()  # asked for one more: the ten before are in the channel, or dropped

        def slow(image: Image) -> NDArray[np.float32]:
            assert all_captured.wait(60)
            return brightness_scores(fake_spec())(image)

        session = FakeSession(scores=slow)
        with Pipeline.of_one(session, listed_source(images(), live=True)) as pipeline:
            indices = [result.frame.index for result in pipeline]
        # the network may have begun with any frame; the next that it saw was the last
        assert indices[-1] == 9
        assert len(indices) <= 2
        assert pipeline.statistics.dropped == 10 - len(indices)
        assert session.calls.count("preprocess") == len(indices)

    def test_that_is_lost_says_so_after_its_last_frame(self, listed_source: MakeSource) -> None:
        source = listed_source([*noise(3), SourceError("The camera was lost.")], live=True)
        seen: list[int] = []
        with pytest.raises(SourceError, match="lost"), Pipeline.of_one(FakeSession(), source) as pipeline:
            seen.extend(result.frame.index for result in pipeline)
        assert seen[-1] == 2


class SilentCamera(Connection):
    """A live source that is connected and gives nothing."""

    live = True

    def __init__(self) -> None:
        super().__init__("silent://")
        self.asked = threading.Event()

    def _connect(self, timeout: float | None) -> None:
        pass

    def _next(self, timeout: float) -> Picture | None:
        self.asked.set()
        time.sleep(min(timeout, 0.01))
        return None


class TestSilentSource:
    def test_ends_with_its_time(self) -> None:
        with Pipeline.of_one(FakeSession(), SilentCamera(), seconds=0.2) as pipeline:
            assert list(pipeline) == []

    def test_does_not_keep_the_caller_from_leaving(self) -> None:
        source = SilentCamera()

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        leaver = threading.Thread(target=lambda: (source.asked.wait(60), os.kill(os.getpid(), signal.SIGINT)))
        try:
            leaver.start()
            with pytest.raises(KeyboardInterrupt), Pipeline.of_one(FakeSession(), source) as pipeline:
                list(pipeline)
        finally:
            leaver.join()
            signal.signal(signal.SIGINT, before)
        assert source.state == "live"  # the caller's: it may be read further

    def test_that_is_interrupted_ends_the_iteration(self) -> None:
        source = SilentCamera()
        interrupter = threading.Thread(target=lambda: (source.asked.wait(60), source.interrupt()))
        interrupter.start()
        with Pipeline.of_one(FakeSession(), source) as pipeline:
            assert list(pipeline) == []
        interrupter.join()
        assert source.state == "ended"


class FailingPostprocess(FakeSession):
    def __init__(self, fail_at: int) -> None:
        super().__init__()
        self._left = fail_at

    def postprocess(self, job: Job) -> NDArray[np.uint8]:
        self._left -= 1
        if not self._left:
            raise DeviceError("postprocess failed")
        return super().postprocess(job)


def failing(stage: str, number: int, make: MakeSource, total: int) -> tuple[FakeSession, Any]:
    """A session and source of which one stage fails on a frame, counted from 1."""
    images: list[Any] = noise(total)
    if stage == "capture":
        images[number - 1] = SourceError("capture failed")
    elif stage == "preprocess":
        images[number - 1] = np.zeros((4, 4), np.uint8)
    if stage == "decode":
        return FailingPostprocess(number), make(images)
    fails = number if stage == "infer" else None
    return FakeSession(fail_at=fails, error=DeviceError("infer failed")), make(images)


ERRORS = {"capture": SourceError, "preprocess": FrameError, "infer": DeviceError, "decode": DeviceError}


class TestFailure:
    @pytest.mark.parametrize("stage", ERRORS)
    @pytest.mark.parametrize("number", [1, 2, 6])
    def test_in_a_stage_comes_after_the_results_before_it(
        self, listed_source: MakeSource, stage: str, number: int
    ) -> None:
        session, source = failing(stage, number, listed_source, total=10)
        seen: list[int] = []
        with pytest.raises(ERRORS[stage]) as caught, Pipeline.of_one(session, source) as pipeline:
            seen.extend(result.frame.index for result in pipeline)
        assert seen == list(range(number - 1))
        if stage != "preprocess":
            assert f"{'postprocess' if stage == 'decode' else stage} failed" in caught.value.message

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, BrokenPipeError])
    def test_of_the_caller_stops_an_endless_source(self, listed_source: MakeSource, error: type[BaseException]) -> None:
        with pytest.raises(error), Pipeline.of_one(FakeSession(), listed_source(endless())) as pipeline:
            break_off(pipeline, error)

    def test_that_is_no_exception_ends_the_threads_too(self, listed_source: MakeSource) -> None:
        session = FakeSession(scores=lambda image: (_ for _ in ()).throw(SystemExit(3)))
        with pytest.raises(SystemExit), Pipeline.of_one(session, listed_source(endless())) as pipeline:
            list(pipeline)

    @pytest.fixture
    def heeded(self) -> Iterator[None]:
        """Ctrl-C raises, also where the tests run in the background of a shell, which lets its jobs ignore it."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    @pytest.mark.usefixtures("heeded")
    def test_a_real_interrupt_wakes_the_caller_that_waits(self, listed_source: MakeSource) -> None:
        released = threading.Event()

        def network(image: Image) -> NDArray[np.float32]:
            os.kill(os.getpid(), signal.SIGINT)
            assert released.wait(60)
            return brightness_scores(fake_spec())(image)

        session = FakeSession(scores=network)
        with Pipeline.of_one(session, listed_source(endless())) as pipeline:
            with pytest.raises(KeyboardInterrupt):
                list(pipeline)
            released.set()

    @pytest.mark.parametrize("seed", range(40))
    def test_at_random_never_hangs_and_keeps_the_order(self, listed_source: MakeSource, seed: int) -> None:
        rng = random.Random(seed)
        total, number, leave = rng.randrange(1, 30), rng.randrange(1, 30), rng.randrange(0, 30)
        stage = rng.choice([*ERRORS])
        session, source = failing(stage, min(number, total), listed_source, total)
        source.live = rng.random() < 0.3
        seen = []
        try:
            with Pipeline.of_one(session, source) as pipeline:
                for result in pipeline:
                    if len(seen) == leave:
                        break
                    seen.append(result.frame.index)
        except ERRORS[stage]:
            pass
        assert seen == sorted(set(seen))
        if not source.live:
            assert seen == list(range(min(leave, min(number, total) - 1)))

    def test_in_the_block_before_the_first_frame_starts_nothing(self, listed_source: MakeSource) -> None:
        source = listed_source(endless())
        with pytest.raises(UsageError), Pipeline.of_one(FakeSession(), source):
            raise UsageError("a sink could not be opened")
        assert source.given == 0


def fleet_of(sources: dict[str, Connection], **how: Any) -> tuple[Pipeline, dict[str, Feed]]:
    """A pipeline of several sources with a session each."""
    pipeline = Pipeline(FakeSession, **how)
    return pipeline, {name: pipeline.add(source) for name, source in sources.items()}


class TestSeveralSources:
    def test_each_gives_all_its_frames_in_order(self, listed_source: MakeSource) -> None:
        lengths = {"a": 7, "b": 3, "c": 12}
        pipeline, feeds = fleet_of({name: listed_source(noise(length)) for name, length in lengths.items()})
        with pipeline:
            results = list(pipeline)
        for name, length in lengths.items():
            own = [one.frame.index for one in results if one.statistics is feeds[name].statistics]
            assert own == list(range(length))
            assert feeds[name].statistics.frames == length
        assert pipeline.statistics.frames == 22

    def test_take_turns(self, listed_source: MakeSource) -> None:
        pipeline, feeds = fleet_of({name: listed_source(endless()) for name in "abcd"}, frames=100)
        with pipeline:
            results = list(pipeline)
        assert len(results) == 100
        for feed in feeds.values():
            assert abs(feed.statistics.frames - 25) <= 5  # they do not begin at the same moment

    def test_of_which_one_dies_leaves_the_others(self, listed_source: MakeSource) -> None:
        ends: list[tuple[Feed, BaseException | None]] = []
        bad = listed_source([*noise(2), SourceError("the cable")])
        pipeline, feeds = fleet_of(
            {"a": listed_source(noise(9)), "bad": bad, "c": listed_source(noise(5))},
            on_end=lambda feed, error: ends.append((feed, error)),
        )
        with pipeline:
            assert len(list(pipeline)) == 16
        errors = {id(feed): error for feed, error in ends}
        assert len(errors) == 3
        assert str(errors.pop(id(feeds["bad"]))) == "the cable"
        assert set(errors.values()) == {None}

    def test_a_live_frame_that_is_none_ends_its_source_alone(self, listed_source: MakeSource) -> None:
        ends: list[BaseException | None] = []
        bad = listed_source([np.zeros((4, 4), np.uint8)])
        bad.live = True
        pipeline, _ = fleet_of(
            {"bad": bad, "good": listed_source(noise(5))}, on_end=lambda _, error: ends.append(error)
        )
        with pipeline:
            assert len(list(pipeline)) == 5
        assert sorted(type(error).__name__ for error in ends) == ["FrameError", "NoneType"]

    def test_may_come_and_go_while_others_run(self, listed_source: MakeSource) -> None:
        closed: list[FakeSession] = []

        class Counted(FakeSession):
            def close(self) -> None:
                closed.append(self)
                super().close()

        threads = threading.active_count()
        pipeline = Pipeline(Counted, on_end=lambda feed, error: None)
        first = pipeline.add(listed_source(endless()))
        rounds, guest = 0, None
        with pipeline:
            for result in pipeline:
                if guest is None:
                    guest = pipeline.add(listed_source(endless()))
                elif result.statistics is guest.statistics:
                    guest.stop()
                    guest, rounds = None, rounds + 1
                    assert threading.active_count() <= threads + 4  # those two, the inference, one that is ending
                if rounds == 50:
                    first.stop()
                    break
        assert len(closed) == 51
        assert len({id(session) for session in closed}) == 51

    def test_that_is_paused_gives_nothing_until_it_goes_on(self, listed_source: MakeSource) -> None:
        pipeline, feeds = fleet_of({"a": listed_source(endless()), "b": listed_source(endless())})
        paused_at = 0
        with pipeline:
            for _ in pipeline:
                count = pipeline.statistics.frames
                if count == 20:
                    feeds["a"].paused = True
                elif count == 60:  # what was on its way has come
                    paused_at = feeds["a"].statistics.frames
                elif count == 120:
                    assert feeds["a"].statistics.frames == paused_at
                    feeds["a"].paused = False
                elif count > 120 and feeds["a"].statistics.frames > paused_at + 20:
                    break
        assert paused_at < 30

    def test_are_waited_for_where_it_is_kept_open(self, listed_source: MakeSource) -> None:
        idle: list[int] = []

        def next_one() -> None:
            idle.append(1)
            if len(idle) == 2:
                pipeline.keep_open = False
                pipeline.add(listed_source(noise(4)))

        pipeline = Pipeline(FakeSession, on_end=lambda feed, error: None, on_idle=next_one)
        pipeline.keep_open = True
        pipeline.add(listed_source(noise(3)))
        with pipeline:
            assert len(list(pipeline)) == 7

    def test_are_connected_in_their_own_threads(self, listed_source: MakeSource) -> None:
        where: list[str] = []

        class Slow(Connection):
            def _connect(self, timeout: float | None) -> None:
                where.append(threading.current_thread().name)

            def _next(self, timeout: float) -> Picture | None:
                raise EndOfSource

        pipeline, _ = fleet_of({"a": Slow("a"), "b": Slow("b")})
        with pipeline:
            assert list(pipeline) == []
        assert where == ["fcn-edge capture"] * 2


class Batches(FakeEngine):
    """An engine that takes several frames at once; tells what its networks were given."""

    def __init__(self, batch: int, **how: Any) -> None:
        super().__init__(batch=batch, **how)
        self.pipeline = Pipeline(self.session, on_end=self._ended)
        self.ends: list[BaseException | None] = []

    def _ended(self, _feed: Feed, error: BaseException | None) -> None:
        self.ends.append(error)

    @property
    def groups(self) -> list[int]:
        """Frames of each call of a network."""
        calls = [call for session in self.sessions for call in session.calls if call.startswith("infer")]
        return [int(call.removeprefix("infer ")) for call in calls]


class TestBatches:
    def test_hold_a_frame_of_each_source_that_has_one(self, listed_source: MakeSource) -> None:
        engine = Batches(4)
        images = {name: noise(40, start) for start, name in enumerate("abcd")}
        feeds = {name: engine.pipeline.add(listed_source(own)) for name, own in images.items()}
        with engine.pipeline as pipeline:
            results = list(pipeline)
        alone = FakeSession()
        for name, own in images.items():
            given = [one for one in results if one.statistics is feeds[name].statistics]
            assert [one.frame.index for one in given] == list(range(40))
            for image, result in zip(own, given, strict=True):
                assert np.array_equal(result.segmentation.labels, alone.labels(image))
                timing = result.segmentation.timing
                assert min(timing.capture, timing.preprocess, timing.infer, timing.decode) > 0
        assert sum(engine.groups) == 160
        assert max(engine.groups) == 4
        assert len(engine.groups) < 160
        assert engine.ends == [None] * 4

    def test_run_in_one_session_that_is_closed_at_the_end(self, listed_source: MakeSource) -> None:
        engine = Batches(2)
        for _ in range(3):
            engine.pipeline.add(listed_source(noise(5)))
        with engine.pipeline as pipeline:
            list(pipeline)
        assert len(engine.sessions) == 4
        assert all(session.closed for session in engine.sessions)
        [network] = [one for one in engine.sessions if any(call.startswith("infer") for call in one.calls)]
        assert "preprocess" not in network.calls
        assert "postprocess" not in network.calls

    def test_of_one_source_wait_for_no_other_and_use_its_session(self, listed_source: MakeSource) -> None:
        images = noise(6)
        with FakeSession(batch=4) as session:
            with Pipeline.of_one(session, listed_source(images)) as pipeline:
                masks = [result.segmentation.labels for result in pipeline]
            assert session.calls.count("infer 1") == 6
            assert not session.closed
            for image, mask in zip(images, masks, strict=True):
                assert np.array_equal(mask, session.labels(image))

    def test_of_live_sources_are_of_their_newest_frames(self, listed_source: MakeSource) -> None:
        engine = Batches(3)
        feeds = [engine.pipeline.add(listed_source(endless(), live=True)) for _ in range(3)]
        with engine.pipeline as pipeline:
            for result in pipeline:
                assert result.segmentation.labels.shape == result.frame.image.shape[:2]
                if all(feed.statistics.frames >= 10 for feed in feeds):
                    break
        assert max(engine.groups) <= 3

    def test_leave_out_the_source_whose_frame_is_none(self, listed_source: MakeSource) -> None:
        engine = Batches(2)
        good = engine.pipeline.add(listed_source(noise(9)))
        bad = engine.pipeline.add(listed_source([np.zeros((4, 4), np.uint8)], live=True))
        with engine.pipeline as pipeline:
            list(pipeline)
        assert good.statistics.frames == 9
        assert bad.statistics.frames == 0
        assert sorted(type(end).__name__ for end in engine.ends) == ["FrameError", "NoneType"]

    def test_that_fail_reach_the_caller_once(self, listed_source: MakeSource) -> None:
        engine = Batches(2, fail_at=5)
        for _ in range(2):
            engine.pipeline.add(listed_source(noise(9)))
        taken: list[Any] = []
        with engine.pipeline as pipeline, pytest.raises(DeviceError, match="lost"):
            taken.extend(pipeline)
        assert len(taken) in (3, 4)
        assert all(session.closed for session in engine.sessions)

    def test_stop_in_the_middle_after_a_number_of_frames(self, listed_source: MakeSource) -> None:
        engine = FakeEngine(batch=4)
        pipeline = Pipeline(engine.session, frames=6)
        for _ in range(4):
            pipeline.add(listed_source(endless()))
        with pipeline:
            assert len(list(pipeline)) == 6
        assert all(session.closed for session in engine.sessions)
