from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.health import Health
from fcn_edge.runtime.sources.base import StateChange


class Story:
    """A camera whose time a test tells; the health polls ten times a second while nothing comes."""

    def __init__(self, fps: float | None = 10.0, start: float = 50.0) -> None:
        self.changes: list[StateChange] = []
        self.health = Health(self.changes.append, unix_ns=lambda: 7)
        self.now = start
        self.fps = fps
        self._pictures = self._noise()

    @property
    def ns(self) -> int:
        return round(self.now * NS_PER_S)

    @property
    def states(self) -> list[str]:
        return [change.state for change in self.changes if not change.of_grade]

    @property
    def grades(self) -> list[str | None]:
        return [change.grade for change in self.changes if change.of_grade]

    def connect(self) -> None:
        if self.health.state == "idle":
            self.health.connecting()
        self.health.connected(self.ns, self.fps)

    def frames(self, seconds: float, fps: float = 10.0) -> None:
        for _ in range(round(seconds * fps)):
            self.now += 1 / fps
            self.health.frame(self.ns, next(self._pictures))

    def silence(self, seconds: float, waiting_for_keyframe: bool = False) -> None:
        for _ in range(round(10 * seconds)):
            self.now += 0.1
            self.health.nothing(self.ns, waiting_for_keyframe)

    def loss(self, seconds: float, message: str = "The cable is cut.") -> None:
        for _ in range(max(round(seconds), 1)):
            self.health.lost(self.ns, message)
            self.now += min(seconds, 1)

    def _noise(self) -> Iterator[object]:
        rng = np.random.default_rng(1)
        while True:
            yield rng.integers(60, 80, (16, 16, 3), np.uint8)


@pytest.fixture
def story() -> Story:
    return Story()


class TestStates:
    def test_begin_with_connecting_and_are_told_once(self, story: Story) -> None:
        story.connect()
        assert story.states == ["connecting"]
        story.frames(100)
        assert story.states == ["connecting", "live"]
        assert story.changes[1].message == ""
        assert story.changes[1].unix_ns == 7

    def test_packets_without_a_keyframe(self, story: Story) -> None:
        story.connect()
        story.silence(5, waiting_for_keyframe=True)
        story.frames(1)
        assert story.states == ["connecting", "waiting_for_keyframe", "live"]
        assert story.health.stalls == 0

    @pytest.mark.parametrize(("fps", "after"), [(10.0, 1.0), (2.0, 2.5), (None, 1.0)])
    def test_silence_for_a_second_or_five_frame_times_is_a_stall(self, fps: float | None, after: float) -> None:
        story = Story(fps)
        story.connect()
        story.frames(3)
        story.silence(after - 0.15)
        assert story.states[-1] == "live"
        story.silence(0.2)
        assert story.states[-1] == "stalled"
        assert story.changes[-1].message == f"No frame came for {after:.1f} s."
        story.silence(10)
        story.frames(1)
        assert story.states == ["connecting", "live", "stalled", "live"]
        assert story.changes[-1].message.startswith("Frames come again after")
        assert story.health.stalls == 1

    def test_a_source_may_have_longer_gaps_by_nature(self, story: Story) -> None:
        story.health.longest_gap = 6.0
        story.connect()
        for _ in range(5):
            story.frames(1)
            story.silence(5)
        assert story.states == ["connecting", "live"]

    def test_a_loss_is_told_with_its_reason_and_how_long_it_lasted(self, story: Story) -> None:
        story.connect()
        story.frames(5)
        story.loss(10)
        story.loss(2, "It is still cut.")
        story.connect()
        assert story.states[-1] == "lost"
        story.frames(1)
        assert story.states == ["connecting", "live", "lost", "live"]
        assert [change.message for change in story.changes if not change.of_grade][2:] == [
            "The cable is cut.",
            "Frames come again after 12.1 s.",
        ]
        assert story.health.reconnects == 1

    def test_a_stall_that_becomes_a_loss(self, story: Story) -> None:
        story.connect()
        story.frames(5)
        story.silence(3)
        story.loss(1)
        story.connect()
        story.frames(5)
        assert story.states == ["connecting", "live", "stalled", "lost", "live"]
        assert (story.health.reconnects, story.health.stalls) == (1, 1)

    def test_a_source_that_is_connected_again_and_gives_nothing_stays_lost(self, story: Story) -> None:
        story.connect()
        story.frames(5)
        for _ in range(4):
            story.loss(1)
            story.connect()
            story.silence(3)
        assert story.states == ["connecting", "live", "lost"]
        assert (story.health.reconnects, story.health.stalls) == (4, 0)

    def test_pictures_that_freeze_and_thaw(self, story: Story) -> None:
        story.connect()
        story.frames(2)
        image = np.full((16, 16, 3), 99, np.uint8)
        for _ in range(70):
            story.now += 0.1
            story.health.frame(story.ns, image)
        story.frames(10)
        assert story.states == ["connecting", "live", "frozen", "live"]
        (frozen,) = (change for change in story.changes if change.state == "frozen" and not change.of_grade)
        assert "again and again" in frozen.message

    def test_frames_on_a_device_are_not_looked_at(self, story: Story) -> None:
        story.connect()
        for _ in range(100):
            story.now += 0.1
            story.health.frame(story.ns, object())
        assert story.states == ["connecting", "live"]


class TestRestlessSources:
    def test_do_not_send_two_messages_each_time(self, story: Story) -> None:
        """Gaps just beyond the limit every few seconds, for ten minutes."""
        story.connect()
        for _ in range(120):
            story.frames(4)
            story.silence(1.2)
        assert len(story.states) <= 12
        assert story.states[-1] == "stalled"
        assert story.health.stalls == 120
        story.frames(40)
        assert story.states[-1] == "live"

    def test_that_calm_down_are_believed_at_once_again(self, story: Story) -> None:
        story.connect()
        for _ in range(6):
            story.frames(2)
            story.silence(1.2)
        story.frames(100)
        story.silence(1.2)
        before = len(story.states)
        story.frames(0.2)
        assert story.states[before:] == ["live"]

    def test_long_stalls_are_real_and_each_is_told(self, story: Story) -> None:
        story.connect()
        for _ in range(5):
            story.frames(8)
            story.silence(6)
        story.frames(0.5)
        assert story.states == ["connecting", *["live", "stalled"] * 5, "live"]

    def test_twenty_losses_are_told_one_by_one(self, story: Story) -> None:
        story.connect()
        for _ in range(20):
            story.frames(7)
            story.loss(2)
            story.connect()
        story.frames(0.5)
        assert story.states == ["connecting", *["live", "lost"] * 20, "live"]
        assert story.health.reconnects == 20
        assert story.health.grade == "unusable"

    def test_that_are_lost_as_soon_as_they_are_there_are_told_rarely(self, story: Story) -> None:
        story.connect()
        for _ in range(300):
            story.frames(0.5)
            story.loss(0.5)
            story.connect()
        assert len(story.states) <= 12


class TestGrades:
    def test_are_told_once_each(self, story: Story) -> None:
        story.connect()
        story.frames(60)
        assert story.grades == ["excellent"]
        story.loss(2)
        story.connect()
        story.frames(60)
        assert story.grades == ["excellent", "fair"]
        change = next(change for change in story.changes if change.grade == "fair")
        assert change.of_grade
        assert change.message.startswith("In the last hour 1 reconnect and 0 stalls")

    def test_fall_while_the_source_is_lost(self, story: Story) -> None:
        story.connect()
        story.frames(60)
        story.loss(70)
        assert story.grades == ["excellent", "fair", "poor", "unusable"]
        assert story.states[-1] == "lost"

    def test_states_carry_the_grade(self, story: Story) -> None:
        story.connect()
        story.frames(60)
        story.silence(2)
        assert (story.changes[-1].state, story.changes[-1].grade) == ("stalled", "excellent")
