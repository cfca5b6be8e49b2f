"""Scores of a network on a GPU: they come to the host for those who ask, and cost nobody else a copy."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.testing.engine import FakeSession, brightness_scores, fake_spec

from .rig import SCORES_BYTES, SIZE, Held, Rig, frame
from .test_session import Frames

Confident = tuple[NDArray[np.uint8], NDArray[np.float32]]


class Counted:
    """A network's output, and how often it was made."""

    def __init__(self) -> None:
        self.runs = 0
        self._scores = brightness_scores(fake_spec())

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        self.runs += 1
        return self._scores(image)


def confident_on_the_host(image: NDArray[np.uint8]) -> Confident:
    host = FakeSession(fake_spec(), SIZE)
    return host.postprocess_with_confidence(host.infer(host.preprocess(image)))


def assert_equal(found: Confident, seed: int) -> None:
    for one, expected in zip(found, confident_on_the_host(frame(seed=seed)), strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("how", [{}, {"integrated": True}, {"preprocess_on": "host"}], ids=["card", "board", "host"])
def test_masks_cost_no_copy_on_the_device_and_no_memory_for_scores(
    rig: Callable[..., Rig], how: dict[str, Any]
) -> None:
    made = rig(graphs=False, **how)
    with made.session as session:
        jobs = [session.infer(session.preprocess(frame(seed=seed))) for seed in range(3)]
        for job in jobs:
            session.postprocess(job)
        calls = made.calls()
        assert not [call for call in calls if call[0] == "copy_rows"]
        assert not [call for call in calls if SCORES_BYTES in call]


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
def test_scores_of_the_last_frame_are_where_the_network_left_them(rig: Callable[..., Rig], integrated: bool) -> None:
    network = Counted()
    made = rig(integrated=integrated, output=network)
    with made.session as session:
        job = session.infer(session.preprocess(frame()))
        session.wait(job)
        runs = network.runs
        made.calls()
        assert_equal(session.postprocess_with_confidence(job), 0)
        assert made.calls() == [
            ("host_alloc", SCORES_BYTES, "pinned"),
            ("download", SCORES_BYTES),
            ("event_record",),
            ("event_synchronize",),
        ]
        assert_equal(session.postprocess_with_confidence(job), 0)
        assert [name for name, *_ in made.calls()] == ["download", "event_record", "event_synchronize"]
        assert network.runs == runs


@pytest.mark.parametrize("graphs", [True, False], ids=["graph", "no graph"])
@pytest.mark.parametrize("on_gpu", [False, True], ids=["host", "device"])
def test_a_frame_behind_which_others_were_inferred_is_inferred_again(
    rig: Callable[..., Rig], graphs: bool, on_gpu: bool
) -> None:
    network = Counted()
    made = rig(graphs=graphs, output=network)
    with made.session as session:
        given = [Held(made.gpu, frame(seed=seed)) if on_gpu else frame(seed=seed) for seed in range(3)]
        jobs = [session.infer(session.preprocess(image)) for image in given]
        session.wait(jobs[-1])
        runs = network.runs
        for seed, more in ((2, 0), (0, 1), (0, 1), (1, 2)):
            assert_equal(session.postprocess_with_confidence(jobs[seed]), seed)
            assert network.runs == runs + more
        labels = session.postprocess(jobs[0])  # the mask is as it was
        np.testing.assert_array_equal(labels, confident_on_the_host(frame())[0])
        assert not [call for call in made.calls() if call[:2] == ("copy_rows", SCORES_BYTES)]


def test_asking_early_brings_them_along(rig: Callable[..., Rig]) -> None:
    network = Counted()
    made = rig(output=network)
    with made.session as session:
        session.expects_confidence = True
        jobs = [session.infer(session.preprocess(frame(seed=seed))) for seed in range(3)]
        session.wait(jobs[-1])
        runs = network.runs
        made.calls()
        for seed, job in enumerate(jobs):
            assert_equal(session.postprocess_with_confidence(job), seed)
        assert {name for name, *_ in made.calls()} <= {"event_synchronize", "event_elapsed_ms"}
        assert network.runs == runs
        session.expects_confidence = False  # and nobody pays for it any more
        jobs.clear()
        del job
        session.labels(frame())
        assert not [call for call in made.calls() if SCORES_BYTES in call]


def test_asking_early_for_labels_changes_nothing(rig: Callable[..., Rig]) -> None:
    with rig(spec={"head": "labels"}, output=lambda image: image[..., 0] % 11).session as session:
        session.expects_confidence = True
        assert session.labels(frame()).max() < 11


@pytest.mark.parametrize("hidden", [False, True], ids=["told", "not told"])
def test_a_pipeline_tells_its_sessions(rig: Callable[..., Rig], hidden: bool) -> None:
    """Also where something between them keeps it from the session, the scores are those of the frame."""
    images = [frame(seed=seed) for seed in range(12)]
    network = Counted()
    session = rig(output=network).session
    kind = type(session)
    with pytest.MonkeyPatch.context() as patch:
        if hidden:
            patch.setattr(kind, "expects_confidence", property(lambda _: False, lambda *_: None))
        session.labels(frame())
        runs = network.runs
        with Pipeline.of_one(session, Frames(images), unknown_below=0.0) as pipeline:
            found = [(each.segmentation.labels, each.segmentation.confidence) for each in pipeline]
        assert hidden or session.expects_confidence
    for seed, (labels, confidence) in enumerate(found):
        assert confidence is not None
        assert_equal((labels, confidence), seed)
    assert hidden or network.runs == runs + len(images)


def test_scores_may_be_asked_for_while_another_thread_infers(rig: Callable[..., Rig]) -> None:
    with rig().session as session, ThreadPoolExecutor(1) as inferring:
        jobs = [session.infer(session.preprocess(frame(seed=seed))) for seed in range(2)]
        for seed in range(2, 20):
            infer = inferring.submit(lambda seed=seed: session.infer(session.preprocess(frame(seed=seed))))
            assert_equal(session.postprocess_with_confidence(jobs[seed - 2]), seed - 2)
            jobs.append(infer.result())


def test_scores_of_an_image_are_of_it_while_others_are_under_way(rig: Callable[..., Rig]) -> None:
    with rig().session as session:
        job = session.infer(session.preprocess(frame()))
        image = frame(*SIZE, seed=1)
        np.testing.assert_array_equal(session.scores(image), FakeSession(fake_spec(), SIZE).scores(image))
        assert_equal(session.postprocess_with_confidence(job), 0)
