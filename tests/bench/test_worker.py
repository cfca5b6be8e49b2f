"""What the measuring process counts as a frame's time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcn_edge.bench.worker import _to_masks, _to_scores
from tests.backends.cuda.rig import Rig, frame


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, graphs=False)


FRAMES = np.stack([frame(seed=seed) for seed in range(2)])


def test_a_gpu_s_time_to_scores_has_no_decoding_in_it(rig: Rig) -> None:
    with rig.session as session:
        timings, whole = _to_scores(session, FRAMES, 3, on_gpu=True)
    # the fake takes a microsecond a step: two of the network, six of decoder and download, and some of the host's
    assert [timing.infer for timing in timings] == [2000] * 3
    assert all(timing.decode >= 6000 for timing in timings)
    assert whole == [timing.preprocess + 2000 for timing in timings]
    assert all(timing.preprocess >= 4000 for timing in timings)


def test_a_gpu_s_time_to_the_mask_is_that_of_the_clock(rig: Rig) -> None:
    with rig.session as session:
        timings, whole = _to_masks(session, FRAMES, 3)
    assert all(timing.decode >= 6000 for timing in timings)
    # the fake's work takes no time of the clock: what counts is how long the caller waited
    assert all(time > 0 for time in whole)
