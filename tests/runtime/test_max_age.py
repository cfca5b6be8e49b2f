"""Masks that are older than somebody can use are not handed on."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.runtime.pipeline import Pipeline
from fcn_edge.runtime.runner import run, stream
from fcn_edge.runtime.segmenter import Segmenter
from fcn_edge.runtime.sources import Connection, EndOfSource, Picture
from fcn_edge.testing.engine import FakeEngine, FakeSession, brightness_scores, fake_spec

pytestmark = pytest.mark.usefixtures("no_thread_left")

LONG = 3600.0
LONG_NS = 3600 * 10**9
SPEC = fake_spec()


class Aged(Connection):
    """Gives frames that are said to have been captured this many seconds ago, then its end, or an error."""

    def __init__(self, ages: list[float], live: bool = False, error: Exception | None = None) -> None:
        super().__init__("aged://")
        self.live = live
        self._ages = list(ages)
        self._error = error

    def _connect(self, timeout: float | None) -> None:
        pass

    def _next(self, timeout: float) -> Picture | None:
        if not self._ages:
            raise self._error or EndOfSource
        captured = time.monotonic_ns() - round(self._ages.pop(0) * 1e9)
        return Picture(np.full((48, 64, 3), 7, np.uint8), captured_ns=captured)


class TestMaxAge:
    def test_too_old_frames_cost_no_inference_and_are_counted(self) -> None:
        session = FakeSession()
        with Pipeline.of_one(session, Aged([0, 2 * LONG, 0, 3 * LONG]), max_age_ns=LONG_NS) as pipeline:
            assert [result.index for result in pipeline] == [0, 2]
        assert session.calls.count("infer") == 2
        statistics = pipeline.statistics
        assert (statistics.frames, statistics.late, statistics.dropped) == (2, 2, 0)
        assert (statistics.late_before_inference, statistics.late_after) == (2, 0)
        assert statistics.report([])["late"] == 2

    def test_of_a_live_source_they_are_not_even_preprocessed(self) -> None:
        session = FakeSession()
        with Pipeline.of_one(session, Aged([2 * LONG], live=True), max_age_ns=LONG_NS) as pipeline:
            assert list(pipeline) == []
        assert session.calls == []
        assert pipeline.statistics.late == 1

    @pytest.mark.parametrize("live", [False, True])
    def test_masks_that_come_too_late_are_not_handed_on(self, live: bool) -> None:
        def slow(image: NDArray[np.uint8]) -> NDArray[Any]:
            time.sleep(0.3)
            return brightness_scores(SPEC)(image)

        with Pipeline.of_one(FakeSession(scores=slow), Aged([0.0], live), max_age_ns=200_000_000) as pipeline:
            assert list(pipeline) == []
        assert (pipeline.statistics.frames, pipeline.statistics.late) == (0, 1)
        assert pipeline.statistics.seconds >= 0.3

    def test_a_limit_of_frames_counts_those_in_time(self) -> None:
        ages = [0.0, 2 * LONG, 0.0, 0.0, 0.0]
        results = stream(Segmenter(FakeEngine()), Aged(ages), frames=3, max_age=LONG)
        assert [result.index for result in results] == [0, 2, 3]

    def test_nothing_is_late_without_it(self) -> None:
        report = run(Aged([9 * LONG, 0.0]), Segmenter(FakeEngine()))
        assert (report.frames, report.statistics.late) == (2, 0)

    def test_those_before_an_error_are_counted(self) -> None:
        source = Aged([0.0, 2 * LONG, 2 * LONG], error=SourceError("It was lost."))
        report = run(source, Segmenter(FakeEngine()), max_age=LONG)
        assert report.error is not None
        assert (report.frames, report.statistics.late, report.to_json()["late"]) == (1, 2, 2)

    @pytest.mark.parametrize("age", [0, -1, float("nan"), float("inf")])
    def test_that_makes_no_sense(self, age: float) -> None:
        with pytest.raises(UsageError, match="max_age"):
            run(Aged([0.0]), Segmenter(FakeEngine()), max_age=age)
