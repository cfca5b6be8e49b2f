"""The three steps on a GPU: who waits for what, how long each stage took, and frames that are given up."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.cuda import session as session_module
from fcn_edge.errors import UsageError

from .rig import Held, Rig, frame, on_the_host


def test_times_are_those_of_the_gpu(rig: Callable[..., Rig]) -> None:
    """The fake takes a microsecond a step; an event is one, too."""
    for how, preprocess in (({}, 4000), ({"integrated": True}, 4000), ({"preprocess_on": "host"}, 2000)):
        with rig(graphs=False, **how).session as session:
            job = session.preprocess(frame())
            on_the_host = job.timing.preprocess
            session.infer(job)
            assert (job.timing.infer, job.timing.decode) == (0, 0)
            session.wait(job)
        # upload, event, preprocess, event, or upload, event; network, event;
        # flag, decode, event, download, event, or decode, event
        assert job.timing.preprocess - on_the_host == preprocess
        assert (job.timing.infer, job.timing.decode) == (2000, 2000 if "integrated" in how else 5000)


def test_waiting_for_other_frames_belongs_to_no_stage(rig: Callable[..., Rig]) -> None:
    with rig().session as session:
        jobs = [session.preprocess(frame(seed=seed)) for seed in range(5)]
        before = [job.timing.preprocess for job in jobs]
        for job in jobs:
            session.infer(job)
        for job in reversed(jobs):
            session.wait(job)
            session.wait(job)
        assert [job.timing.preprocess - first for job, first in zip(jobs, before, strict=True)] == [4000] * 5
        assert {(job.timing.infer, job.timing.decode) for job in jobs} == {(2000, 5000)}
        assert {job.timing.gpu and job.timing.gpu.latency for job in jobs} == {11_000}


LABELS: dict[str, Any] = {"spec": {"head": "labels"}, "output": lambda image: image[..., 0] % 11}


@pytest.mark.parametrize("graphs", [True, False], ids=["graph", "no graph"])
@pytest.mark.parametrize(
    ("how", "up", "compute", "down"),
    [
        ({}, 2000, 7000, 2000),
        ({"integrated": True}, 2000, 6000, None),
        ({"preprocess_on": "host"}, 2000, 5000, 2000),
        ({"preprocess_on": "host", "integrated": True}, 2000, 4000, None),
        (LABELS, 2000, 6000, 3000),  # down: copy from the network, download, event
        (LABELS | {"integrated": True}, 2000, 5000, 2000),
    ],
    ids=["card", "board", "card, host prepares", "board, host prepares", "card, labels", "board, labels"],
)
def test_the_gpu_s_times_are_divided_at_the_copies(
    rig: Callable[..., Rig], how: dict[str, Any], up: int | None, compute: int, down: int | None, graphs: bool
) -> None:
    """The fake takes a microsecond a step: a copy's time is its own and its event's, and the kernels have the rest."""
    with rig(graphs=graphs, **how).session as session:
        for seed in range(2):
            job = session.preprocess(frame(seed=seed))
            before = job.timing.preprocess
            assert session.infer(job).timing.gpu is None
            session.wait(job)
            times, stages = job.timing.gpu, job.timing
            assert times is not None
            assert (times.host_to_device, times.compute, times.device_to_host) == (up, compute, down)
            assert times.latency == stages.preprocess - before + stages.infer + stages.decode
            session.postprocess(job)
            assert job.timing.gpu is times


@pytest.mark.parametrize(("integrated", "down"), [(False, 2000), (True, None)], ids=["card", "board"])
def test_a_frame_on_the_gpu_comes_by_no_copy(rig: Callable[..., Rig], integrated: bool, down: int | None) -> None:
    made = rig(integrated=integrated)
    with made.session as session:
        job = session.infer(session.preprocess(Held(made.gpu, frame())))
        session.postprocess(job, device=True)
        assert job.timing.gpu is not None
        assert (job.timing.gpu.host_to_device, job.timing.gpu.device_to_host) == (None, down)


@pytest.mark.parametrize(("graphs", "calls"), [(True, 3), (False, 12)], ids=["graph", "no graph"])
def test_enqueueing_has_every_call_in_it_but_the_capture(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, graphs: bool, calls: int
) -> None:
    """On a clock that every call of the driver moves by one."""
    made = rig(graphs=graphs)
    monkeypatch.setattr(session_module, "time", SimpleNamespace(perf_counter_ns=lambda: len(made.gpu.calls)))
    with made.session as session:
        for seed in range(2):
            job = session.infer(session.preprocess(frame(seed=seed)))
            session.wait(job)
            assert job.timing.gpu is not None
            assert job.timing.gpu.enqueue == calls


@pytest.mark.parametrize("how", [{}, {"graphs": False}, {"integrated": True}], ids=["graph", "no graph", "board"])
def test_infer_waits_for_nothing(rig: Callable[..., Rig], how: dict[str, Any]) -> None:
    made = rig(**how)
    with made.session as session:
        assert session.depth == 2
        jobs = [session.preprocess(frame(seed=seed)) for seed in range(session.depth + 2)]
        made.calls()
        for job in jobs:
            session.infer(job)
        assert not [name for name, *_ in made.calls() if "synchronize" in name]
        for seed, job in enumerate(jobs):
            np.testing.assert_array_equal(session.postprocess(job), on_the_host(frame(seed=seed)))


def test_a_frame_given_up_under_way_leaves_its_memory_to_others(rig: Callable[..., Rig]) -> None:
    made = rig()
    with made.session as session:
        for size in ((60, 100), (60, 100), (90, 70)):
            session.infer(session.preprocess(frame(*size)))  # nobody waits for it
        job = session.preprocess(frame(seed=1))
        assert ("event_synchronize",) in made.calls()
        np.testing.assert_array_equal(session.postprocess(session.infer(job)), on_the_host(frame(seed=1)))
    made.engine.close()
    assert made.gpu.leftovers == []


def test_closing_waits_for_frames_under_way(rig: Callable[..., Rig]) -> None:
    made = rig()
    jobs = [made.session.infer(made.session.preprocess(frame(seed=seed))) for seed in range(3)]
    made.session.close()
    with pytest.raises(UsageError, match="closed"):
        made.session.postprocess(jobs[0])
    made.engine.close()
    assert made.gpu.leftovers == []


@pytest.mark.parametrize("preprocess_on", ["device", "host"])
@pytest.mark.parametrize("head", ["scores", "labels"])
def test_a_board_s_kernels_read_no_memory_of_the_host(rig: Callable[..., Rig], preprocess_on: str, head: str) -> None:
    how = LABELS if head == "labels" else {}
    made = rig(integrated=True, preprocess_on=preprocess_on, **how)
    with made.session as session:
        for size in ((60, 100), (90, 70)):
            session.labels(frame(*size))
            session.labels(Held(made.gpu, frame(*size)))
    assert made.gpu.modules.mapped_reads == 0
