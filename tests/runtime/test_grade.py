from __future__ import annotations

import pytest

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.grade import Grading, grade_of
from fcn_edge.runtime.sources.base import Grade


def run(grading: Grading, seconds: float, fps: float, start: float) -> tuple[float, list[Grade | None]]:
    """Frames at a rate, graded each second; gives the end and the grades that were told."""
    told, count, graded = [], round(seconds * fps), int(start)
    for index in range(count):
        now = start + (index + 1) / fps
        grading.frame(round(now * NS_PER_S))
        if int(now) > graded:
            graded = int(now)
            if grading.changed(round(now * NS_PER_S)):
                told.append(grading.grade)
    return start + seconds, told


@pytest.mark.parametrize(
    ("reconnects", "stalls", "fps", "expected", "grade"),
    [
        (0, 0, 25.0, 25.0, "excellent"),
        (0, 4, 22.5, 25.0, "excellent"),
        (0, 5, 25.0, 25.0, "fair"),
        (0, 0, 22.4, 25.0, "fair"),
        (1, 0, 25.0, 25.0, "fair"),
        (2, 100, 15.0, 25.0, "fair"),
        (3, 0, 25.0, 25.0, "poor"),
        (0, 0, 14.9, 25.0, "poor"),
        (10, 100, 1.0, 25.0, "poor"),
        (11, 0, 25.0, 25.0, "unusable"),
        (0, 101, 25.0, 25.0, "unusable"),
        (0, 0, 0.9, 25.0, "unusable"),
        (0, 0, 0.5, 0.5, "excellent"),
        (0, 0, 0.2, 0.5, "unusable"),
        (0, 0, 3.0, None, "excellent"),
        (0, 0, 0.5, None, "unusable"),
    ],
)
def test_the_grade_is_that_of_the_table(
    reconnects: int, stalls: int, fps: float, expected: float | None, grade: Grade
) -> None:
    assert grade_of(reconnects, stalls, fps, expected) == grade


class TestGrading:
    def test_there_is_no_grade_in_the_first_seconds(self) -> None:
        grading = Grading(10)
        now, told = run(grading, 4, 10, 0)
        assert (grading.grade, told) == (None, [])
        assert run(grading, 3, 10, now)[1] == ["excellent"]

    def test_a_reconnect_counts_for_an_hour(self) -> None:
        grading = Grading(2)
        now, _ = run(grading, 60, 2, 0)
        grading.reconnected(round(now * NS_PER_S))
        now, told = run(grading, 3500, 2, now)
        assert told == ["fair"]
        assert run(grading, 200, 2, now)[1] == ["excellent"]

    def test_stalls_count_for_an_hour(self) -> None:
        grading = Grading(2)
        now, _ = run(grading, 60, 2, 0)
        for _ in range(5):
            grading.stalled(round(now * NS_PER_S))
        now, told = run(grading, 3500, 2, now)
        assert told == ["fair"]
        assert run(grading, 200, 2, now)[1] == ["excellent"]

    def test_more_than_ten_reconnects_are_unusable(self) -> None:
        grading = Grading(2)
        now, grades = 0.0, list[Grade | None]()
        for _ in range(12):
            now, told = run(grading, 120, 2, now)
            grades += told
            grading.reconnected(round(now * NS_PER_S))
        assert grades == ["excellent", "fair", "poor", "unusable"]

    def test_the_rate_is_that_of_the_last_minute(self) -> None:
        grading = Grading(10)
        now, _ = run(grading, 600, 10, 0)
        now, told = run(grading, 70, 5, now)
        assert told == ["fair", "poor"]
        assert grading.fps(round(now * NS_PER_S)) == pytest.approx(5, rel=0.02)
        assert run(grading, 70, 10, now)[1] == ["fair", "excellent"]

    def test_the_rate_falls_while_nothing_comes(self) -> None:
        grading = Grading(10)
        now, _ = run(grading, 600, 10, 0)
        grades = [grading.grade for second in range(70) if grading.changed(round((now + second) * NS_PER_S))]
        assert grades == ["fair", "poor", "unusable"]

    def test_a_rate_at_a_limit_does_not_change_the_grade_again_and_again(self) -> None:
        grading = Grading(10)
        now, told = 0.0, list[Grade | None]()
        for fps in [9.2, 8.8] * 10:
            now, more = run(grading, 60, fps, now)
            told += more
        assert told == ["excellent", "fair"]

    def test_without_a_rate_of_its_own_the_median_of_the_first_minute_is_expected(self) -> None:
        grading = Grading()
        grading.source_says(None)
        now, _ = run(grading, 59, 20, 0)
        assert grading.expected is None
        now, _ = run(grading, 2, 20, now)
        assert grading.expected == pytest.approx(20, rel=0.01)
        now, told = run(grading, 120, 10, now)
        assert told == ["fair", "poor"]

    def test_what_was_asked_for_is_expected_before_what_the_source_says(self) -> None:
        grading = Grading(30)
        grading.source_says(10)
        assert grading.expected == 30

    def test_the_reasons_are_a_sentence(self) -> None:
        grading = Grading(10)
        now, _ = run(grading, 60, 10, 0)
        grading.reconnected(round(now * NS_PER_S))
        assert grading.reasons(round(now * NS_PER_S)) == (
            "In the last hour 1 reconnect and 0 stalls, in the last minute 10 of 10 frames a second."
        )
