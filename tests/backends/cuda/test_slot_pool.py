"""Slots of a session: made and captured in the warm-up, lent to one frame after another, and not more than needed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.base import Job
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.runtime.pipeline import Pipeline

from .rig import SIZE, Held, Rig, frame, on_the_host
from .test_session import Frames

COSTLY = ("capture_begin", "device_alloc", "host_alloc", "event_create", "stream_create", "graph_destroy")
UNDER_WAY = CudaSession.depth + 2
DOCS = Path(__file__).resolve().parents[3] / "docs" / "tensorrt.md"


class Live(Frames):
    """Frames of a camera, which does not wait."""

    live = True


def costly(made: Rig) -> list[str]:
    """The calls since the last time that make a frame late."""
    return [name for name, *_ in made.calls() if name in COSTLY]


def stream(made: Rig, count: int, size: tuple[int, int] = (60, 100), on_gpu: bool = False) -> None:
    """Frames of a stream, of which as many are under way as keep the GPU busy, and one on either side."""
    under_way: deque[Job] = deque()
    for seed in range(count):
        image = frame(*size, seed=seed % 7)
        under_way.append(made.session.infer(made.session.preprocess(Held(made.gpu, image) if on_gpu else image)))
        if len(under_way) == UNDER_WAY:
            labels = made.session.postprocess(under_way.popleft())
            if seed % 10 == 0:
                np.testing.assert_array_equal(labels, on_the_host(frame(*size, seed=(seed - UNDER_WAY + 1) % 7)))


@pytest.mark.parametrize(
    "how",
    [{}, {"integrated": True}, {"preprocess_on": "host"}, {"graphs": False}],
    ids=["card", "board", "host", "no graph"],
)
@pytest.mark.parametrize("confidence", [False, True])
def test_no_frame_after_the_warm_up_is_captured_or_gets_memory(
    rig: Callable[..., Rig], how: dict[str, Any], confidence: bool
) -> None:
    made = rig(**how)
    made.session.expects_confidence = confidence
    made.session.warm_up((60, 100))
    assert costly(made).count("capture_begin") == (0 if how == {"graphs": False} else UNDER_WAY)
    stream(made, 100)
    assert costly(made) == []


def test_frames_of_the_gpu_are_captured_once_for_each_under_way(rig: Callable[..., Rig]) -> None:
    made = rig()
    stream(made, UNDER_WAY, on_gpu=True)
    assert costly(made).count("capture_begin") == UNDER_WAY
    stream(made, 100, on_gpu=True)
    assert set(costly(made)) <= {"event_create"}  # with which another library's stream is waited for


def test_a_camera_s_frames_are_neither_captured_nor_given_memory(rig: Callable[..., Rig]) -> None:
    made = rig()
    made.session.warm_up((60, 100))
    made.calls()
    with Pipeline.of_one(made.session, Live([frame(seed=seed % 7) for seed in range(100)])) as pipeline:
        assert len(list(pipeline)) > 0
    assert costly(made) == []


def test_a_file_s_frames_have_the_slots_of_its_queues_and_no_more(rig: Callable[..., Rig]) -> None:
    made = rig()
    made.session.warm_up((60, 100))
    made.calls()
    with Pipeline.of_one(made.session, Frames([frame(seed=seed % 7) for seed in range(100)])) as pipeline:
        for seed, result in enumerate(pipeline):
            np.testing.assert_array_equal(result.segmentation.labels, on_the_host(frame(seed=seed % 7)))
    assert costly(made).count("capture_begin") <= 8 - UNDER_WAY


def test_a_new_size_costs_once(rig: Callable[..., Rig]) -> None:
    made = rig()
    made.session.warm_up((60, 100))
    left = len(made.gpu.leftovers)
    made.calls()
    stream(made, 20, (90, 70))
    calls = costly(made)
    assert calls.count("capture_begin") == calls.count("graph_destroy") == UNDER_WAY
    assert len(made.gpu.leftovers) == left
    stream(made, 100, (90, 70))
    assert costly(made) == []


def test_images_of_many_sizes_have_one_slot_each(rig: Callable[..., Rig]) -> None:
    made = rig()
    for width in range(40, 80, 10):
        made.calls()
        np.testing.assert_array_equal(made.session.labels(frame(60, width)), on_the_host(frame(60, width)))
        assert costly(made).count("capture_begin") == 1


def test_scores_of_an_image_leave_the_stream_s_slots_alone(rig: Callable[..., Rig]) -> None:
    made = rig()
    made.session.warm_up((60, 100))
    made.calls()
    made.session.scores(frame(*SIZE))
    assert costly(made).count("capture_begin") == 1
    stream(made, 20)
    assert "capture_begin" not in costly(made)


def test_slots_beyond_those_of_a_stream_are_given_up(rig: Callable[..., Rig]) -> None:
    made = rig()
    jobs = [made.session.infer(made.session.preprocess(frame(seed=seed % 7))) for seed in range(20)]
    for seed, job in enumerate(jobs):
        np.testing.assert_array_equal(made.session.postprocess(job), on_the_host(frame(seed=seed % 7)))
    jobs.clear()
    del job
    made.session.labels(frame())
    assert sum(one.startswith("graph") for one in made.gpu.leftovers) == 8


def test_too_little_memory_for_all_of_them_is_enough_for_some(
    rig: Callable[..., Rig], caplog: pytest.LogCaptureFixture
) -> None:
    made = rig(total_bytes=77_000)  # two slots beside the network
    with caplog.at_level(logging.INFO):
        made.session.warm_up((60, 100))
    assert "Slots for fewer frames at once than usual: The GPU has no memory left" in caplog.text
    assert costly(made).count("capture_begin") == 2
    for seed in range(10):
        np.testing.assert_array_equal(made.session.labels(frame(seed=seed)), on_the_host(frame(seed=seed)))
    assert costly(made) == []


@pytest.mark.parametrize(("integrated", "megabytes"), [(True, 58), (False, 66)], ids=["board", "card"])
def test_the_memory_of_frames_is_what_the_docs_say(rig: Callable[..., Rig], integrated: bool, megabytes: int) -> None:
    made = rig(integrated=integrated)
    before = bytes_of(made)
    made.session.warm_up((1080, 1920))
    taken = bytes_of(made) - before
    assert round(taken / 1e6) == megabytes
    told = DOCS.read_text(encoding="utf-8").replace("\n", " ")
    assert "58 MB on a board and 66 MB elsewhere at 1920x1080" in told
    stream(made, 6, (1080, 1920))
    assert bytes_of(made) - before == taken


def bytes_of(made: Rig) -> int:
    """Bytes of all memory, mapped memory once."""
    return sum({id(content): content.size for content in made.gpu.memory.live.values()}.values())
