"""The three steps on a GPU: who waits for what, how long each stage took, and frames that are given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fcn_edge.errors import UsageError

from .rig import Rig, frame, on_the_host


def test_times_are_those_of_the_gpu(rig: Callable[..., Rig]) -> None:
    """The fake takes a microsecond a step; an event is one, too."""
    for how, preprocess in (({}, 3000), ({"integrated": True}, 2000), ({"preprocess_on": "host"}, 3000)):
        with rig(graphs=False, **how).session as session:
            job = session.preprocess(frame())
            on_the_host = job.timing.preprocess
            session.infer(job)
            assert (job.timing.infer, job.timing.decode) == (0, 0)
            session.wait(job)
        # upload, preprocess or copy, event; network, event; flag, scores, decode, download, event
        assert job.timing.preprocess - on_the_host == preprocess
        assert (job.timing.infer, job.timing.decode) == (2000, 4000 if "integrated" in how else 5000)


def test_waiting_for_other_frames_belongs_to_no_stage(rig: Callable[..., Rig]) -> None:
    with rig().session as session:
        jobs = [session.preprocess(frame(seed=seed)) for seed in range(5)]
        before = [job.timing.preprocess for job in jobs]
        for job in jobs:
            session.infer(job)
        for job in reversed(jobs):
            session.wait(job)
            session.wait(job)
        assert [job.timing.preprocess - first for job, first in zip(jobs, before, strict=True)] == [3000] * 5
        assert {(job.timing.infer, job.timing.decode) for job in jobs} == {(2000, 5000)}


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
