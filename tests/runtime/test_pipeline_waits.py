"""A live frame is not taken before the device is free for it; others are enqueued behind each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fcn_edge.backends.base import Job
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.testing.engine import FakeSession

pytestmark = pytest.mark.usefixtures("no_thread_left")


class Waiting(FakeSession):
    """Records its waits among its calls."""

    def wait(self, job: Job) -> None:
        assert job.inferred
        self.calls.append("wait")


@pytest.mark.parametrize(("live", "waits"), [(True, 1), (False, 0)])
def test_a_pipeline_waits_for_the_device_where_frames_are_live(
    listed_source: Callable[..., Any], live: bool, waits: int
) -> None:
    images = [np.full((40, 60, 3), value, np.uint8) for value in range(5)]
    with Waiting() as session, Pipeline.of_one(session, listed_source(images, live=live)) as pipeline:
        count = len(list(pipeline))
        calls = [call for call in session.calls if call in ("infer", "wait")]
    assert count >= 1
    assert calls == ["infer", *["wait"] * waits] * count
