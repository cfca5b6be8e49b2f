"""Intervals of rank statistics: against tables of the literature, and how often they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.bench.intervals import median_interval, ratio_interval


class TestMedian:
    def test_drops_what_the_tables_of_the_sign_test_say(self) -> None:
        # n = 9: from the second to the eighth, 96.1%; n = 12: from the third to the tenth
        interval = median_interval([9, 3, 1, 2, 8, 4, 7, 5, 6])
        assert (interval.low, interval.high) == (2, 8)
        assert interval.confidence == pytest.approx(1 - 2 * 10 / 512)
        assert (median_interval(range(1, 13)).low, median_interval(range(1, 13)).high) == (3, 10)

    @pytest.mark.parametrize(("rounds", "confidence"), [(1, 0.0), (2, 0.5), (3, 0.75), (5, 0.9375), (6, 0.96875)])
    def test_says_how_sure_few_rounds_are(self, rounds: int, confidence: float) -> None:
        interval = median_interval(list(range(1, rounds + 1)))
        assert interval.confidence == confidence
        assert (interval.low, interval.high) == (1, rounds)

    def test_one_bad_round_of_nine_moves_it_little(self) -> None:
        even = [10.0, 10.1, 9.9, 10.05, 9.95, 10.02, 9.98, 10.0]
        assert median_interval([*even, 30.0]).high == 10.1

    def test_holds_the_median_as_often_as_it_says(self) -> None:
        random = np.random.default_rng(5)
        for rounds in (6, 9, 12):
            runs = [median_interval(random.normal(50, 3, rounds).tolist()) for _ in range(1000)]
            held = np.mean([run.low <= 50 <= run.high for run in runs])
            assert held == pytest.approx(runs[0].confidence, abs=0.02)
            assert runs[0].confidence >= 0.95

    def test_holds_the_median_of_the_rounds(self) -> None:
        random = np.random.default_rng(6)
        for _ in range(200):
            values = random.lognormal(3, 1, int(random.integers(1, 12))).tolist()
            interval = median_interval(values)
            assert interval.low <= np.median(values) <= interval.high


class TestRatio:
    def test_drops_what_the_tables_of_mann_and_whitney_say(self) -> None:
        # n = m = 5: two of the 25 at each end, 96.8%
        interval = ratio_interval([1.0] * 5, [2.0, 3.0, 4.0, 5.0, 6.0])
        assert interval.confidence == pytest.approx(1 - 2 * 4 / 252)
        assert (interval.low, interval.high) == (2.0, 6.0)

    def test_finds_a_factor(self) -> None:
        interval = ratio_interval([10, 11, 10.5, 10.2, 10.8, 10.4], [11, 12.1, 11.55, 11.22, 11.88, 11.44])
        assert interval.low < 1.1 < interval.high
        assert interval.low > 1.02

    def test_equal_runs_differ_by_1_as_often_as_it_says(self) -> None:
        random = np.random.default_rng(7)
        found = [
            ratio_interval(random.normal(50, 3, 7).tolist(), random.normal(50, 3, 8).tolist()) for _ in range(1000)
        ]
        held = np.mean([interval.low <= 1 <= interval.high for interval in found])
        assert held == pytest.approx(found[0].confidence, abs=0.02)
