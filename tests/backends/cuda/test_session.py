"""A GPU's session on a fake GPU: what it asks of the driver, in which order, and the masks that come of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import Resize
from fcn_edge.backends.cuda import frame_work
from fcn_edge.backends.cuda.device import Device
from fcn_edge.backends.cuda.errors import cuda_error
from fcn_edge.backends.cuda.session import CudaSession
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.ops.kernels import Launch
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.sources.base import Connection, EndOfSource, Picture
from fcn_edge.testing.engine import FakeSession, fake_spec
from fcn_edge.testing.gpu import FakeGpu, FakeKernel

from .gpu import FakeGpuEngine
from .rig import IMAGE_BYTES, SIZE, Rig, emulated_kernels, frame, on_the_host

SHIFTED = Geometry(align="stride", first=(0.0, -4.0))
"""Another network's, with scores where ours has none."""

WORK_ON_A_CARD = [
    ("upload", 60 * 100 * 3),
    ("event_record",),
    ("launch", "preprocess"),
    ("event_record",),
    ("network",),
    ("event_record",),
    ("fill", 0, 4),
    ("launch", "decode_fp32"),
    ("event_record",),
    ("download", 60 * 112 + 4),
]
"""What a frame of 100x60 costs; the mask's rows are 112 bytes apart."""

WORK_ON_A_BOARD = [
    ("upload", 60 * 100 * 3),
    ("event_record",),
    ("launch", "preprocess"),
    ("event_record",),
    ("network",),
    ("event_record",),
    ("launch", "decode_fp32"),
]
"""Where host and GPU share their memory the frame is copied, and the mask, with its flag, is written where it stays."""

REPLAY = [("event_record",), ("graph_launch",), ("event_record",)]
"""The calls of ``infer`` when its work is captured before."""


def capture(work: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [("capture_begin",), *work, ("capture_end",), *REPLAY]


@pytest.mark.parametrize(
    ("how", "work", "events", "made"),
    [
        (
            {},
            WORK_ON_A_CARD,
            6,
            [
                ("host_alloc", 60 * 100 * 3, "pinned"),
                ("device_alloc", 60 * 100 * 3),
                ("host_alloc", 60 * 112 + 4, "pinned"),
                ("device_alloc", 60 * 112 + 4),
            ],
        ),
        (
            {"integrated": True},
            WORK_ON_A_BOARD,
            5,
            [
                ("host_alloc", 60 * 100 * 3, "pinned"),
                ("device_alloc", 60 * 100 * 3),
                ("host_alloc", 60 * 112 + 4, "mapped"),
            ],
        ),
    ],
    ids=["card", "board"],
)
def test_every_call_of_the_first_frames(
    rig: Callable[..., Rig],
    how: dict[str, Any],
    work: list[tuple[Any, ...]],
    events: int,
    made: list[tuple[Any, ...]],
) -> None:
    made_rig = rig(**how)
    session, image = made_rig.session, frame()
    job = session.preprocess(image)
    assert made_rig.calls("device_free", "host_free", "event_destroy") == [*made, *[("event_create",)] * events]
    session.infer(job)
    assert made_rig.calls() == capture(work)
    labels = session.postprocess(job)
    # the stages, and the copies, are each between two events
    assert made_rig.calls() == [("event_synchronize",), *[("event_elapsed_ms",)] * (events - 1)]
    np.testing.assert_array_equal(session.postprocess(job), labels)
    assert made_rig.calls() == []
    np.testing.assert_array_equal(labels, on_the_host(image))
    del job

    job = session.preprocess(frame(seed=1))
    assert made_rig.calls() == []
    session.infer(job)
    assert made_rig.calls() == REPLAY
    np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame(seed=1)))


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
def test_every_call_without_graphs(rig: Callable[..., Rig], integrated: bool) -> None:
    made = rig(graphs=False, integrated=integrated)
    work = WORK_ON_A_BOARD if integrated else WORK_ON_A_CARD
    for seed in range(2):
        job = made.session.preprocess(frame(seed=seed))
        made.calls()
        made.session.infer(job)
        assert made.calls() == [("event_record",), *work, ("event_record",)]
        np.testing.assert_array_equal(made.session.postprocess(job), on_the_host(frame(seed=seed)))


def test_every_call_with_the_host_preparing(rig: Callable[..., Rig]) -> None:
    card, board = rig(preprocess_on="host", graphs=False), rig(preprocess_on="host", graphs=False, integrated=True)
    for made in (card, board):
        job = made.session.preprocess(frame())
        made.calls()
        made.session.infer(job)
        work = WORK_ON_A_CARD if made is card else WORK_ON_A_BOARD
        preprocessed = work.index(("launch", "preprocess")) + 1
        expected = [("upload", IMAGE_BYTES), *work[preprocessed:]]
        assert made.calls() == [("event_record",), *expected, ("event_record",)]
        np.testing.assert_array_equal(made.session.postprocess(job), on_the_host(frame()))


def test_a_new_size_in_mid_stream_gives_up_the_old_one_s_memory(rig: Callable[..., Rig]) -> None:
    made = rig()
    with made.session as session:
        for _ in range(3):
            np.testing.assert_array_equal(session.labels(frame()), on_the_host(frame()))
        before = len(made.gpu.leftovers)
        made.calls()
        np.testing.assert_array_equal(session.labels(frame(90, 70)), on_the_host(frame(90, 70)))
        calls = made.calls()
        assert calls[: len(calls) // 3].count(("graph_destroy",)) == 1
        assert [name for name, *_ in calls].count("capture_begin") == 1
        assert len(made.gpu.leftovers) == before
        session.labels(frame(90, 70))
        assert [name for name, *_ in made.calls()].count("capture_begin") == 0


def test_frames_under_way_have_memory_each_and_share_it_afterwards(rig: Callable[..., Rig]) -> None:
    made = rig()
    with made.session as session:
        jobs = [session.preprocess(frame(seed=seed)) for seed in range(4)]
        for job in jobs:
            session.infer(job)
        for seed, job in enumerate(jobs):
            np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame(seed=seed)))
        jobs.clear()
        del job
        made.calls()
        jobs = [session.preprocess(frame(seed=seed)) for seed in range(4)]
        assert made.calls() == []


def test_the_caller_may_write_into_its_frame_at_once(rig: Callable[..., Rig]) -> None:
    image = frame()
    with rig().session as session:
        job = session.preprocess(image)
        image[...] = 0
        np.testing.assert_array_equal(session.postprocess(session.infer(job)), on_the_host(frame()))


def test_a_mask_is_the_caller_s_own(rig: Callable[..., Rig]) -> None:
    with rig().session as session:
        first = session.labels(frame())
        kept = first.copy()
        session.labels(frame(seed=1))
        np.testing.assert_array_equal(first, kept)
        assert first.flags.c_contiguous
        assert first.flags.writeable


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"resize": Resize(policy="stretch")},
        {"resize": Resize(policy="roi", roi=(0.25, 0.0, 1.0, 0.5))},
    ],
    ids=["pad", "stretch", "roi"],
)
@pytest.mark.parametrize("preprocess", ["device", "host"])
@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_masks_are_those_of_the_host(
    rig: Callable[..., Rig], spec: dict[str, Any], preprocess: str, integrated: bool, dtype: type
) -> None:
    made = rig(spec=spec, preprocess_on=preprocess, integrated=integrated, dtype=dtype)
    with made.session as session:
        for size in [(60, 100), (64, 96), (200, 31), (2, 2)]:
            labels, expected = session.labels(frame(*size)), on_the_host(frame(*size), **spec)
            if dtype is np.float32:
                np.testing.assert_array_equal(labels, expected)
            else:
                assert (labels == expected).mean() > 0.99


def test_masks_of_a_network_that_lays_its_scores_otherwise(rig: Callable[..., Rig]) -> None:
    with rig(spec={"geometry": SHIFTED}).session as session:
        labels = session.labels(frame())
        np.testing.assert_array_equal(labels, on_the_host(frame(), geometry=SHIFTED))
        assert (labels != on_the_host(frame())).any()


def test_scores_are_of_the_image_itself_whatever_the_policy(rig: Callable[..., Rig]) -> None:
    spec = {"resize": Resize(policy="roi", roi=(0.25, 0.0, 1.0, 0.5))}
    with rig(spec=spec).session as session:
        expected = FakeSession(fake_spec(**spec), SIZE).scores(frame(64, 96))
        np.testing.assert_array_equal(session.scores(frame(64, 96)), expected)


@pytest.mark.parametrize("spec", [{}, {"geometry": SHIFTED}], ids=["own", "shifted"])
def test_confidence_is_of_the_frame_even_when_others_follow(rig: Callable[..., Rig], spec: dict[str, Any]) -> None:
    host = FakeSession(fake_spec(**spec), SIZE)
    with rig(spec=spec).session as session:
        jobs = [session.infer(session.preprocess(frame(seed=seed))) for seed in range(2)]
        for seed, job in enumerate(jobs):
            labels, confidence = session.postprocess_with_confidence(job)
            expected = host.postprocess_with_confidence(host.infer(host.preprocess(frame(seed=seed))))
            np.testing.assert_array_equal(labels, expected[0])
            np.testing.assert_array_equal(confidence, expected[1])


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
def test_nan_is_an_error_for_its_frame_only(rig: Callable[..., Rig], integrated: bool) -> None:
    good = np.random.default_rng(0).normal(size=(11, 8, 12)).astype(np.float32)

    def output(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full_like(good, np.nan) if image.mean() > 250 else good

    with rig(output=output, integrated=integrated).session as session:
        bad = session.infer(session.preprocess(np.full((64, 96, 3), 255, np.uint8)))
        on_device = partial(session.postprocess, device=True)
        for postprocess in (session.postprocess, on_device, session.postprocess_with_confidence):
            with pytest.raises(ModelError, match="NaN"):
                postprocess(bad)  # type: ignore[operator]
        del bad
        for _ in range(2 * session.depth + 1):  # also in the memory of that frame
            assert len(np.unique(session.labels(frame(64, 96)))) > 1


def test_two_sessions_on_one_engine_have_a_stream_each(rig: Callable[..., Rig]) -> None:
    made = rig()
    other = made.engine.session()
    together = threading.Barrier(2, timeout=60)

    def stream(session: CudaSession, seed: int) -> bool:
        together.wait()
        return all((session.labels(frame(seed=seed)) == on_the_host(frame(seed=seed))).all() for _ in range(10))

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(stream, (made.session, other), (0, 1)))
    assert made.session._stream.handle != other._stream.handle
    made.session.close()
    np.testing.assert_array_equal(other.labels(frame()), on_the_host(frame()))
    made.engine.close()
    assert made.gpu.leftovers == []


class Frames(Connection):
    """Frames out of memory."""

    def __init__(self, images: list[NDArray[np.uint8]]) -> None:
        super().__init__("memory:")
        self._images = iter(images)

    def _connect(self, timeout: float | None) -> None:
        pass

    def _next(self, timeout: float) -> Picture | None:
        image = next(self._images, None)
        if image is None:
            raise EndOfSource
        return Picture(image)


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
def test_three_threads_as_in_the_pipeline(rig: Callable[..., Rig], integrated: bool) -> None:
    images = [frame(60, 100 if seed < 8 else 80, seed) for seed in range(16)]
    made = rig(integrated=integrated)
    with Pipeline.of_one(made.session, Frames(images)) as pipeline:
        masks = [result.segmentation.labels for result in pipeline]
    for mask, image in zip(masks, images, strict=True):
        np.testing.assert_array_equal(mask, on_the_host(image))
    made.engine.close()
    assert made.gpu.leftovers == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [({"has_graphs": False}, "fake cannot capture"), ({"capturable": False}, "network's work cannot be captured")],
)
def test_without_graphs_it_says_so_once_and_goes_on(
    rig: Callable[..., Rig], caplog: pytest.LogCaptureFixture, how: dict[str, Any], reason: str
) -> None:
    with caplog.at_level(logging.INFO), rig(**how).session as session:
        for seed in range(3):
            np.testing.assert_array_equal(session.labels(frame(seed=seed)), on_the_host(frame(seed=seed)))
    (line,) = [record.getMessage() for record in caplog.records if "graphs" in record.getMessage()]
    assert reason in line


def test_a_slot_s_launches_are_made_once(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Launch] = []

    def counted(make: Callable[..., Launch]) -> Callable[..., Launch]:
        return lambda *arguments: made.append(make(*arguments)) or made[-1]  # type: ignore[func-returns-value]

    for name in ("preprocess_launch", "decode_launch"):
        monkeypatch.setattr(frame_work, name, counted(getattr(frame_work, name)))
    with rig(graphs=False).session as session:
        made.clear()
        for seed in range(3):
            np.testing.assert_array_equal(session.labels(frame(seed=seed)), on_the_host(frame(seed=seed)))
        assert [launch.entry for launch in made] == ["preprocess", "decode_fp32"]
        np.testing.assert_array_equal(session.labels(frame(90, 70)), on_the_host(frame(90, 70)))
        assert len(made) == 4  # a frame of another size has a slot of its own


def test_a_session_tells_whether_its_frames_are_graphs(rig: Callable[..., Rig]) -> None:
    for how, graphs in (({}, True), ({"graphs": False}, False), ({"capturable": False}, False)):
        with rig(**how).session as session:
            assert not session.graphs
            session.labels(frame())
            assert (session.graphs, session.capture_failure) == (graphs, "")


def test_a_session_tells_why_a_capture_failed(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    def capture_begin(stream: int) -> None:
        raise cuda_error("cuStreamBeginCapture", "CUDA_ERROR_UNKNOWN")

    made = rig()
    monkeypatch.setattr(made.gpu, "capture_begin", capture_begin)
    with made.session as session:
        for seed in range(2):
            np.testing.assert_array_equal(session.labels(frame(seed=seed)), on_the_host(frame(seed=seed)))
        assert not session.graphs
        assert session.capture_failure == "The GPU failed in cuStreamBeginCapture: CUDA_ERROR_UNKNOWN"


def test_closed_session_gives_nothing(rig: Callable[..., Rig]) -> None:
    made = rig()
    job = made.session.infer(made.session.preprocess(frame()))
    made.session.close()
    on_device = partial(made.session.postprocess, device=True)
    for postprocess in (
        made.session.postprocess,
        on_device,
        made.session.postprocess_with_confidence,
        made.session.wait,
    ):
        with pytest.raises(UsageError, match="closed"):
            postprocess(job)  # type: ignore[operator]
    made.engine.close()
    assert made.gpu.leftovers == []


def test_a_session_that_is_forgotten_is_closed_with_the_engine(rig: Callable[..., Rig]) -> None:
    made = rig()
    made.engine.session().labels(frame())
    made.engine.close()
    assert made.gpu.leftovers == []


def test_engine_closes_the_sessions_that_are_open(rig: Callable[..., Rig]) -> None:
    made = rig()
    other = made.engine.session()
    other.labels(frame())
    made.engine.close()
    assert made.gpu.leftovers == []
    assert made.session.closed
    assert other.closed


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FakeKernel]:
    """The kernels' own source, compiled for the host."""
    return emulated_kernels(tmp_path_factory.mktemp("kernels"))


@pytest.mark.parametrize("integrated", [False, True], ids=["card", "board"])
def test_the_kernels_own_source_makes_the_host_s_masks(
    emulated: dict[str, FakeKernel], tmp_path: Path, integrated: bool
) -> None:
    gpu = FakeGpu(emulated, integrated=integrated)
    spec = fake_spec(resize=Resize(policy="stretch"))
    with FakeGpuEngine(gpu, Device(gpu, tmp_path), spec, SIZE) as engine, engine.session() as session:
        for size in (SIZE, (60, 100), (130, 200)):
            image = frame(*size)
            agreement = (session.labels(image) == FakeSession(spec, SIZE).labels(image)).mean()
            # the resize may differ from OpenCV's by a gray level, which moves a border
            assert agreement == 1 if size == SIZE else agreement > 0.98
