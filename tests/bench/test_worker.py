"""What the measuring process counts as a frame's time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fcn_edge.bench import worker
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


def test_the_time_to_the_mask_is_how_long_the_caller_waits(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(perf_counter_ns=iter(range(0, 10**6, 700)).__next__)
    monkeypatch.setattr(worker, "time", clock)
    with rig.session as session:
        timings, whole = _to_masks(session, FRAMES, 3)
    assert whole == [700] * 3
    assert all(timing.decode >= 6000 for timing in timings)
