from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.sinks.video_clock import LONGEST_GAP_NS, VideoClock, usual_rate

IMAGE = np.zeros((2, 2, 3), np.uint8)


def shown(times: Sequence[float | None], captured: Sequence[float] = (), live: bool = False) -> list[float]:
    """Seconds at which frames are shown, at 10 frames a second where nothing else tells."""
    clock = VideoClock(10.0, live)
    captures = captured or [0.0] * len(times)
    return [
        clock.shown_ns(Frame(IMAGE, index, round(at * 1e9), "", time=seconds)) / 1e9
        for index, (seconds, at) in enumerate(zip(times, captures, strict=True))
    ]


class TestFile:
    def test_keeps_the_sources_times_from_0_on(self) -> None:
        assert shown([3.0, 3.5, 3.6, 9.0]) == pytest.approx([0, 0.5, 0.6, 6.0])

    def test_is_even_without_times(self) -> None:
        assert shown([None] * 3, captured=[0, 5, 6]) == pytest.approx([0, 0.1, 0.2])

    def test_puts_a_frame_without_a_time_among_the_others(self) -> None:
        assert shown([0.0, 0.1, None, 0.3]) == pytest.approx([0, 0.1, 0.2, 0.3])

    def test_goes_on_where_the_source_starts_anew(self) -> None:
        assert shown([0.0, 0.5, 0.0, 0.5]) == pytest.approx([0, 0.5, 0.6, 1.1])

    def test_shortens_gaps_that_no_container_can_hold(self) -> None:
        assert shown([0.0, 1e9, 1e9 + 1]) == pytest.approx([0, LONGEST_GAP_NS / 1e9, LONGEST_GAP_NS / 1e9 + 1])


class TestLive:
    def test_takes_the_captures_where_there_are_no_times(self) -> None:
        assert shown([None] * 3, captured=[2.0, 2.2, 3.0], live=True) == pytest.approx([0, 0.2, 1.0])

    def test_takes_the_sources_times_though_frames_came_late(self) -> None:
        captured = [2.0, 4.0, 4.01, 4.02]
        assert shown([0, 0.1, 0.2, 0.3], captured, live=True) == pytest.approx([0, 0.1, 0.2, 0.3])

    def test_takes_the_captures_over_a_loss_of_the_connection(self) -> None:
        assert shown([50, 50.1, 0.0, 0.1], [2.0, 2.1, 8.1, 8.2], live=True) == pytest.approx([0, 0.1, 6.1, 6.2])

    def test_takes_the_captures_where_the_cameras_clock_is_set(self) -> None:
        assert shown([0.0, 3600.0, 3600.1], [2.0, 2.1, 2.2], live=True) == pytest.approx([0, 0.1, 0.2])

    def test_always_grows(self) -> None:
        times = shown([None] * 4, captured=[2.0, 2.0, 1.0, 3.0], live=True)
        assert times == sorted(set(times))


class TestAway:
    """A live source that is away, and whose own clock may start anew."""

    def frame(self, seconds: float | None, captured: float) -> Frame:
        return Frame(IMAGE, 0, round(captured * 1e9), "", time=seconds)

    def test_goes_on_by_the_captures(self) -> None:
        clock = VideoClock(10.0, live=True)
        clock.shown_ns(self.frame(50.0, 2.0))
        assert [clock.away_ns(round(now * 1e9)) / 1e9 for now in (3.5, 4.0)] == pytest.approx([1.5, 2.0])
        again = [self.frame(0.0, 5.0), self.frame(0.1, 5.15), self.frame(0.2, 5.25)]
        assert [clock.shown_ns(frame) / 1e9 for frame in again] == pytest.approx([3.0, 3.1, 3.2])

    def test_a_clock_that_went_on_wrongly_moves_nothing(self) -> None:
        clock = VideoClock(10.0, live=True)
        clock.shown_ns(self.frame(50.0, 2.0))
        clock.away_ns(60_000_000_000)
        assert clock.shown_ns(self.frame(113.0, 62.0)) / 1e9 == pytest.approx(60.0)

    def test_a_frame_from_before_the_last_picture_follows_it_closely_and_no_time_is_lost(self) -> None:
        clock = VideoClock(10.0, live=True)
        clock.shown_ns(self.frame(None, 2.0))
        assert clock.away_ns(4_000_000_000) == 2_000_000_000
        late = [clock.shown_ns(self.frame(None, captured)) for captured in (3.8, 3.9, 4.0)]
        assert late == [2_000_000_001, 2_000_000_002, 2_000_000_003]
        assert clock.shown_ns(self.frame(None, 4.1)) / 1e9 == pytest.approx(2.1)

    def test_may_last_longer_than_any_gap(self) -> None:
        clock = VideoClock(10.0, live=True)
        clock.shown_ns(self.frame(None, 0.0))
        hours = [clock.away_ns(hour * LONGEST_GAP_NS) for hour in range(1, 50)]
        assert hours == [hour * LONGEST_GAP_NS for hour in range(1, 50)]
        assert clock.shown_ns(self.frame(None, 49 * 3600.0 + 0.25)) == 49 * LONGEST_GAP_NS + 250_000_000


@pytest.mark.parametrize(("fps", "rate"), [(None, 25), (0.5, 25), (1000.0, 25), (29.97, 29.97), (1.0, 1.0)])
def test_a_rate_makes_sense(fps: float | None, rate: float) -> None:
    assert usual_rate(fps) == rate
