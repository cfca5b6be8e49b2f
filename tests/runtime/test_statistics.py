from __future__ import annotations

import pytest

from fcn_edge.backends.base import Timing
from fcn_edge.runtime.statistics import StreamStatistics

MS = 1_000_000
WITHIN = 0.0051


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
