from __future__ import annotations

import math

import numpy as np
import pytest

from fcn_edge.backends.base import Timing
from fcn_edge.metrics.durations import Durations
from fcn_edge.runtime.statistics import StreamStatistics

MS = 1_000_000
WITHIN = 0.0051


def test_percentiles_are_those_of_the_sorted_durations() -> None:
    rng = np.random.default_rng(5)
    values = (rng.lognormal(math.log(30 * MS), 1.0, 5001)).astype(np.int64)
    durations = Durations()
    for value in values:
        durations.add(int(value))
    ordered = np.sort(values)
    for percent in (1, 50, 90, 99, 100):
        exact = ordered[math.ceil(percent / 100 * len(values)) - 1] / MS
        assert durations.percentile_ms(percent) == pytest.approx(exact, rel=WITHIN)


def test_one_duration_is_every_percentile() -> None:
    durations = Durations()
    durations.add(65 * MS)
    assert {durations.percentile_ms(p) for p in (1, 50, 99)} == {durations.percentile_ms(50)}
    assert durations.percentile_ms(50) == pytest.approx(65, rel=WITHIN)


def test_outliers_do_not_move_the_median() -> None:
    durations = Durations()
    for value in [10 * MS] * 98 + [0, 10**18]:
        durations.add(value)
    assert durations.percentile_ms(50) == pytest.approx(10, rel=WITHIN)
    assert durations.percentile_ms(100) > 1e7


def test_no_duration_has_no_percentile() -> None:
    assert Durations().percentile_ms(50) is None


def test_report_counts_from_the_first_request_to_the_last_output() -> None:
    statistics = StreamStatistics()
    start = 7_000 * MS
    statistics.start(start)
    for index in range(10):
        timing = Timing(capture=2 * MS, preprocess=1 * MS, infer=(60 + index) * MS, decode=4 * MS)
        statistics.add(timing, latency_ns=(100 + index) * MS, output_ns=3 * MS, now_ns=start + (index + 1) * 80 * MS)
    statistics.dropped = 4
    report = statistics.report([{"uri": "x"}])
    assert report["frames"] == 10
    assert report["seconds"] == pytest.approx(0.8)
    assert report["fps"] == pytest.approx(12.5)
    assert report["dropped"] == 4
    assert report["sources"] == [{"uri": "x"}]
    assert report["latency_ms"] == pytest.approx({"p50": 104, "p90": 108, "p99": 109}, rel=WITHIN)
    assert report["stages_ms"] == pytest.approx(
        {"capture": 2, "preprocess": 1, "infer": 64, "decode": 4, "output": 3}, rel=WITHIN
    )


def test_report_of_nothing_has_no_numbers_to_invent() -> None:
    report = StreamStatistics().report([])
    assert (report["frames"], report["seconds"], report["fps"], report["dropped"]) == (0, 0, 0, 0)
    assert set(report["latency_ms"].values()) == {None}
    assert set(report["stages_ms"].values()) == {None}
