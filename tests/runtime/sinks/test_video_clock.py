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


@pytest.mark.parametrize(("fps", "rate"), [(None, 25), (0.5, 25), (1000.0, 25), (29.97, 29.97), (1.0, 1.0)])
def test_a_rate_makes_sense(fps: float | None, rate: float) -> None:
    assert usual_rate(fps) == rate
