"""What every backend promises, tested on each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Job
from fcn_edge.errors import FrameError, ModelError, UsageError
from fcn_edge.ops.decode import decode
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.nearest import nearest
from fcn_edge.ops.preprocess import network_input

from .conftest import MakeSubject

MakeFrame = Callable[..., NDArray[np.uint8]]


def test_scores_are_those_of_the_network(subject: MakeSubject, frame: MakeFrame) -> None:
    made = subject()
    image = frame(64, 96)
    with made.engine.session() as session:
        scores = session.scores(image)
    assert scores.dtype == np.float32
    assert scores.shape == (11, 8, 12)
    np.testing.assert_allclose(scores, made.network.scores(image), atol=1e-3)


def test_scores_without_a_batch_axis_are_the_same(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(64, 96)
    with subject(batched=True).engine.session() as batched, subject(batched=False).engine.session() as plain:
        np.testing.assert_array_equal(batched.scores(image), plain.scores(image))


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (96, 160)])
def test_engine_has_the_size_it_was_built_for(subject: MakeSubject, frame: MakeFrame, size: tuple[int, int]) -> None:
    made = subject(size)
    with made.engine.session() as session:
        assert made.engine.size == session.size == size
        assert session.scores(frame(*size)).shape == (11, size[0] // 8, size[1] // 8)


@pytest.mark.parametrize("shape", [(64, 96), (63, 97), (1, 1), (7, 301), (360, 481), (719, 5)])
def test_mask_lies_in_the_frame_s_own_pixels(subject: MakeSubject, frame: MakeFrame, shape: tuple[int, int]) -> None:
    made = subject()
    image = frame(*shape)
    with made.engine.session() as session:
        labels = session.labels(image)
        spec = session.spec
        place = placement(shape, session.size, spec.resize)
        scores = session.scores(network_input(image, place, spec.fill_bgr))
    assert labels.dtype == np.uint8
    assert labels.shape == shape
    np.testing.assert_array_equal(labels, decode(scores, place.mapping(spec.stride, spec.geometry), spec.void))


def test_mask_has_several_classes(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject().engine.session() as session:
        assert len(np.unique(session.labels(frame(120, 170)))) >= 5


def test_labels_head_is_sampled_at_the_frame_s_pixels(subject: MakeSubject, frame: MakeFrame) -> None:
    made = subject(head="labels")
    image = frame(123, 97)
    with made.engine.session() as session:
        place = placement((123, 97), session.size, session.spec.resize)
        fed = network_input(image, place, session.spec.fill_bgr)
        labels = session.labels(image)
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, nearest(made.network.labels(fed), place.mapping(1), session.spec.void))
        assert len(np.unique(labels)) >= 5


def test_labels_head_gives_neither_scores_nor_confidence(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject(head="labels").engine.session() as session:
        with pytest.raises(ModelError, match="ends in labels"):
            session.scores(frame(64, 96))
        with pytest.raises(ModelError, match="ends in labels"):
            session.postprocess_with_confidence(session.infer(session.preprocess(frame(64, 96))))


def test_a_warm_up_changes_no_mask(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(90, 130)
    engine = subject().engine
    with engine.session() as cold, engine.session() as warm:
        warm.warm_up((90, 130))
        warm.warm_up()
        np.testing.assert_array_equal(warm.labels(image), cold.labels(image))
    with pytest.raises(UsageError, match="closed"):
        warm.warm_up()


def test_runs_of_one_frame_agree(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(90, 130)
    with subject().engine.session() as session:
        first = session.labels(image)
        session.labels(frame(90, 130, seed=1))
        np.testing.assert_array_equal(session.labels(image), first)


def test_frame_is_left_as_it_is(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(64, 96)
    image.flags.writeable = False
    with subject().engine.session() as session:
        session.labels(image)
    np.testing.assert_array_equal(image, frame(64, 96))


def test_a_frame_need_not_be_contiguous(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(128, 192)
    with subject().engine.session() as session:
        for view in (image[:, ::-1], image[::2, ::2], image[::-1, :, ::-1], image.transpose(1, 0, 2), image[:64, :96]):
            np.testing.assert_array_equal(session.labels(view), session.labels(np.ascontiguousarray(view)))
        np.testing.assert_array_equal(
            session.scores(image[::2, ::2]), session.scores(np.ascontiguousarray(image[::2, ::2]))
        )


def test_steps_make_what_labels_makes_and_tell_their_times(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(70, 100)
    with subject().engine.session() as session:
        job = session.preprocess(image)
        assert (job.timing.preprocess > 0, job.timing.infer, job.timing.decode) == (True, 0, 0)
        assert session.infer(job) is job
        labels = session.postprocess(job)
        assert min(job.timing.preprocess, job.timing.infer, job.timing.decode) > 0
        assert job.timing.total == job.timing.preprocess + job.timing.infer + job.timing.decode
        once = job.timing.decode
        session.postprocess(job)
        assert job.timing.decode > once
        np.testing.assert_array_equal(labels, session.labels(image))


def test_a_gpu_divides_its_times_and_a_processor_has_none(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject().engine.session() as session:
        for seed in range(2):  # the first of a size, and one that takes its memory again
            job = session.preprocess(frame(70, 100, seed))
            before = job.timing.preprocess
            assert session.infer(job).timing.gpu is None
            session.wait(job)
            stages, times = job.timing, job.timing.gpu
            if session.depth == 1:  # infer computes
                assert times is None
                continue
            assert times is not None
            assert min(times.compute, times.enqueue) > 0
            copies = [time for time in (times.host_to_device, times.device_to_host) if time is not None]
            assert all(time > 0 for time in copies)
            assert times.latency == sum(copies) + times.compute
            assert times.latency == stages.preprocess - before + stages.infer + stages.decode
            session.postprocess(job)
            assert job.timing.gpu == times


def test_each_job_is_inferred_once_and_before_its_mask(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject().engine.session() as session:
        job = session.preprocess(frame(70, 100))
        assert not job.inferred
        for early in (session.postprocess, session.postprocess_with_confidence):
            with pytest.raises(UsageError, match="not inferred yet"):
                early(job)  # type: ignore[operator]
        session.infer(job)
        assert job.inferred
        with pytest.raises(UsageError, match="inferred already"):
            session.infer(job)
        session.wait(job)
        labels = session.postprocess(job)
        np.testing.assert_array_equal(labels, session.labels(frame(70, 100)))
        np.testing.assert_array_equal(session.postprocess(job), labels)  # and asking again costs nothing
        with pytest.raises(UsageError, match="inferred already"):
            session.infer(job)


def test_masks_may_be_asked_for_in_any_order(subject: MakeSubject, frame: MakeFrame) -> None:
    images = [frame(50 + 7 * seed, 80, seed) for seed in range(5)]
    with subject().engine.session() as session:
        expected = [session.labels(image) for image in images]
        jobs = [session.infer(session.preprocess(image)) for image in images]
        for index in (3, 0, 4, 1, 2):
            np.testing.assert_array_equal(session.postprocess(jobs[index]), expected[index])


def test_more_jobs_than_its_depth_only_wait_longer(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject().engine.session() as session:
        assert session.depth >= 1
        images = [frame(64, 96, seed) for seed in range(session.depth + 3)]
        expected = [session.labels(image) for image in images]
        jobs = [session.infer(session.preprocess(image)) for image in images]
        for job, labels in zip(jobs, expected, strict=True):
            np.testing.assert_array_equal(session.postprocess(job), labels)


def test_jobs_of_several_frames_may_be_inferred_together(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject().engine.session() as session:
        assert session.batch >= 1
        for count in range(2 * session.batch + 2):  # none, fewer than it takes at once, as many, and more
            images = [frame(50 + 7 * seed, 80 + count, seed) for seed in range(count)]
            expected = [session.labels(image) for image in images]
            jobs = [session.preprocess(image) for image in images]
            session.infer_batch(jobs)
            assert all(job.inferred for job in jobs)
            for job, labels in reversed(list(zip(jobs, expected, strict=True))):
                np.testing.assert_array_equal(session.postprocess(job), labels)
                assert min(job.timing.preprocess, job.timing.infer, job.timing.decode) > 0
            for labels, again in zip(expected, session.labels_batch(images), strict=True):
                np.testing.assert_array_equal(again, labels)


def test_a_batch_may_hold_jobs_of_other_sessions(subject: MakeSubject, frame: MakeFrame) -> None:
    """Each step in a thread of its own, as in a pipeline of several sources."""
    engine = subject().engine
    if engine.batch == 1:
        pytest.skip("it takes one frame at a time")
    images = [frame(50 + 7 * seed, 80, seed) for seed in range(engine.batch)]
    with ExitStack() as stack:
        network, *streams = (stack.enter_context(engine.session()) for _ in range(engine.batch + 1))
        expected = [network.labels(image) for image in images]
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in images]
        for _ in range(3):
            steps = zip(threads, streams, images, strict=True)
            jobs = [thread.submit(stream.preprocess, image) for thread, stream, image in steps]
            network.infer_batch([job.result() for job in jobs])
            for job, stream, labels in zip(jobs, streams, expected, strict=True):
                np.testing.assert_array_equal(stream.postprocess(job.result()), labels)


def test_jobs_that_cannot_be_inferred_together_are_all_left_alone(subject: MakeSubject, frame: MakeFrame) -> None:
    engine = subject().engine
    with engine.session() as session:
        done, first, second = (session.preprocess(frame(64, 96, seed)) for seed in range(3))
        session.infer(done)
        for jobs in ([first, done], [first, second, first]):
            with pytest.raises(UsageError, match="inferred already"):
                session.infer_batch(jobs)
            assert not first.inferred
            assert not second.inferred
        session.infer_batch([first, second])
    with pytest.raises(UsageError, match="closed"):
        session.infer_batch([])


def test_jobs_that_are_given_up_do_no_harm(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(64, 96)
    with subject().engine.session() as session:
        expected = session.labels(image)
        for size in ((64, 96), (64, 96), (30, 40)):
            session.preprocess(frame(*size, seed=1))
            session.infer(session.preprocess(frame(*size, seed=2)))
        np.testing.assert_array_equal(session.labels(image), expected)


def test_confidence_belongs_to_the_mask(subject: MakeSubject, frame: MakeFrame) -> None:
    image = frame(70, 100)
    with subject().engine.session() as session:
        plain = session.labels(image)
        labels, confidence = session.postprocess_with_confidence(session.infer(session.preprocess(image)))
        assert confidence.shape == labels.shape
        assert confidence.dtype == np.float32
        assert confidence.min() >= 0
        assert confidence.max() <= 1
        np.testing.assert_array_equal(labels, plain)
        threshold = float(np.median(confidence))
        known, _ = session.postprocess_with_confidence(session.infer(session.preprocess(image)), threshold)
        np.testing.assert_array_equal(known, np.where(confidence < threshold, session.spec.void, plain))


def test_jobs_of_several_frames_may_be_between_the_steps(subject: MakeSubject, frame: MakeFrame) -> None:
    images = [frame(50 + 7 * seed, 80, seed) for seed in range(4)]
    with subject().engine.session() as session:
        expected = [session.labels(image) for image in images]
        preprocessed = [session.preprocess(image) for image in images]
        inferred = [session.infer(job) for job in preprocessed]
        for job, labels in zip(inferred, expected, strict=True):
            np.testing.assert_array_equal(session.postprocess(job), labels)


def test_each_step_may_have_its_own_thread(subject: MakeSubject, frame: MakeFrame) -> None:
    images = [frame(50 + seed, 80, seed) for seed in range(8)]
    with subject().engine.session() as session:
        expected = [session.labels(image) for image in images]
        with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second, ThreadPoolExecutor(1) as third:
            preprocessed = [first.submit(session.preprocess, image) for image in images]

            def infer(waiting: Any) -> Job:
                return session.infer(waiting.result())

            def postprocess(waiting: Any) -> NDArray[np.uint8]:
                return session.postprocess(waiting.result())

            inferred = [second.submit(infer, job) for job in preprocessed]
            masks = [third.submit(postprocess, job) for job in inferred]
            for mask, labels in zip(masks, expected, strict=True):
                np.testing.assert_array_equal(mask.result(), labels)


def test_several_sessions_share_an_engine_at_the_same_time(subject: MakeSubject, frame: MakeFrame) -> None:
    engine = subject().engine
    images = [frame(64 + 5 * seed, 96, seed) for seed in range(3)]
    with engine.session() as session:
        expected = [session.labels(image) for image in images]
    together = threading.Barrier(len(images), timeout=60)

    def stream(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        with engine.session() as session:
            together.wait()
            return [session.labels(image) for _ in range(5)]

    with ThreadPoolExecutor(len(images)) as pool:
        for masks, labels in zip(pool.map(stream, images), expected, strict=True):
            for mask in masks:
                np.testing.assert_array_equal(mask, labels)


@pytest.mark.parametrize(
    "wrong",
    [
        [[1, 2, 3]],
        None,
        np.zeros((64, 96), np.uint8),
        np.zeros((64, 96, 4), np.uint8),
        np.zeros((64, 96, 3), np.float32),
        np.zeros((64, 96, 3), np.uint16),
        np.zeros((0, 96, 3), np.uint8),
        np.zeros((64, 0, 3), np.uint8),
        np.zeros((1, 64, 96, 3), np.uint8),
    ],
    ids=["list", "none", "gray", "alpha", "floats", "16-bit", "no rows", "no columns", "batch"],
)
def test_what_is_no_frame_is_refused_in_a_sentence(subject: MakeSubject, frame: MakeFrame, wrong: Any) -> None:
    with subject().engine.session() as session:
        with pytest.raises(FrameError, match="uint8"):
            session.labels(wrong)
        with pytest.raises(FrameError, match="uint8"):
            session.scores(wrong)
        session.labels(frame(64, 96))  # and nothing is broken afterwards


def test_scores_take_the_network_s_size_only(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject().engine.session() as session, pytest.raises(FrameError, match=r"32x96.*64x96"):
        session.scores(frame(32, 96))


def test_scores_that_are_no_numbers_are_refused(subject: MakeSubject, frame: MakeFrame) -> None:
    with subject(bias=float("nan")).engine.session() as session, pytest.raises(ModelError, match="NaN"):
        session.labels(frame(64, 96))


def test_closed_session_says_so_and_others_live_on(subject: MakeSubject, frame: MakeFrame) -> None:
    engine = subject().engine
    closed, other = engine.session(), engine.session()
    job = closed.preprocess(frame(64, 96))
    under_way = [closed.infer(closed.preprocess(frame(64, 96, seed))) for seed in range(3)]
    assert not closed.closed
    closed.close()
    closed.close()
    assert closed.closed
    for use in (
        lambda: closed.labels(frame(64, 96)),
        lambda: closed.infer(job),
        lambda: closed.scores(frame(64, 96)),
        lambda: closed.postprocess(under_way[0]),
        lambda: closed.postprocess_with_confidence(under_way[1]),
    ):
        with pytest.raises(UsageError, match="closed"):
            use()
    assert other.labels(frame(64, 96)).shape == (64, 96)
    other.close()


def test_closed_engine_gives_no_sessions(subject: MakeSubject) -> None:
    engine = subject().engine
    with engine:
        assert engine.session().size == (64, 96)
    with pytest.raises(UsageError, match="closed"):
        engine.session()
    engine.close()
