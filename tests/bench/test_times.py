"""Many times to few numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.bench.times import distribution_of, throughput_of


def test_numbers_that_are_known() -> None:
    # nine rounds of 1 to 100 ms, the last one twice as slow
    rounds = [[value * 1_000_000 for value in range(1, 101)] for _ in range(8)]
    rounds.append([value * 2_000_000 for value in range(1, 101)])
    times = distribution_of(rounds)
    assert times.rounds == (50.5,) * 8 + (101.0,)
    assert times.p50 == 50.5
    assert times.interval == (50.5, 50.5)
    assert times.frames == 900
    assert (times.min, times.max) == (1.0, 200.0)
    whole = np.sort(np.concatenate(rounds)) / 1e6
    assert times.mean == pytest.approx(whole.mean())
    for percent, value in ((90, times.p90), (95, times.p95), (99, times.p99)):
        assert value == whole[int(np.ceil(9 * percent)) - 1]
    assert times.percentiles[50] == whole[449]


def test_throughput() -> None:
    found = throughput_of([20.0, 22.0, 21.0])
    assert (found.fps, found.interval, found.confidence) == (21.0, (20.0, 22.0), 0.75)
