from __future__ import annotations

import threading

import pytest

from fcn_edge.runtime.intake import Intake

pytestmark = pytest.mark.usefixtures("no_thread_left")


def taken(intake: Intake[str], count: int) -> str:
    return "".join(str(intake.take()) for _ in range(count))


def test_lanes_take_turns() -> None:
    intake: Intake[str] = Intake()
    a, b, c = (intake.lane(9) for _ in range(3))
    for item in "AAAA":
        a.put(item)
    for item in "BB":
        b.put(item)
    c.put("C")
    assert taken(intake, 7) == "ABCABAA"


def test_a_lane_that_was_idle_does_not_catch_up() -> None:
    intake: Intake[str] = Intake()
    a, b = intake.lane(9), intake.lane(9)
    for item in "AAAAAA":
        a.put(item)
    assert taken(intake, 3) == "AAA"
    for item in "BBB":
        b.put(item)
    assert taken(intake, 6) == "BABABA"


def test_a_full_lane_waits_and_its_end_does_not() -> None:
    intake: Intake[str] = Intake()
    lane = intake.lane(1)
    lane.put("1")
    answers: list[bool] = []
    writer = threading.Thread(target=lambda: answers.append(lane.put("2")))
    writer.start()
    writer.join(0.05)
    assert writer.is_alive()
    assert taken(intake, 2) == "12"
    writer.join()
    lane.put("3")
    assert lane.put_last("end")
    assert taken(intake, 2) == "3end"
    assert answers == [True]


def test_the_newest_is_kept_and_the_dropped_counted() -> None:
    intake: Intake[str] = Intake()
    lane = intake.lane(3)
    lane.keep_newest(1)
    for item in "abc":
        assert lane.put(item)
    lane.put_last("end")
    assert taken(intake, 2) == "cend"
    assert lane.dropped == 2


@pytest.mark.parametrize("whole", [False, True])
def test_closing_wakes_a_writer_that_waits(whole: bool) -> None:
    intake: Intake[str] = Intake()
    lane = intake.lane(1)
    lane.put("1")
    answers: list[bool] = []
    writer = threading.Thread(target=lambda: answers.append(lane.put("2")))
    writer.start()
    writer.join(0.05)
    (intake if whole else lane).close()
    writer.join()
    assert answers == [False]
    assert not lane.put("3")
    assert not lane.put_last("end")


def test_closing_wakes_the_reader_that_waits() -> None:
    intake: Intake[str] = Intake()
    answers: list[str | None] = []
    reader = threading.Thread(target=lambda: answers.append(intake.take()))
    reader.start()
    reader.join(0.05)
    assert reader.is_alive()
    intake.close()
    reader.join()
    assert answers == [None]
    assert intake.lane(1).closed


def test_a_lane_that_is_closed_leaves_the_others_alone() -> None:
    intake: Intake[str] = Intake()
    a, b = intake.lane(9), intake.lane(9)
    for lane, item in ((a, "A"), (b, "B"), (a, "A"), (b, "B")):
        lane.put(item)
    a.close()
    assert taken(intake, 2) == "BB"


def test_without_room_for_an_item_there_is_no_lane() -> None:
    with pytest.raises(ValueError, match="1 item or more"):
        Intake[str]().lane(0)


def test_many_are_of_different_lanes_in_turns() -> None:
    intake: Intake[str] = Intake()
    a, b, c = (intake.lane(9) for _ in range(3))
    for item in "AAA":
        a.put(item)
    for item in "BB":
        b.put(item)
    c.put("C")
    assert intake.take_many(2) == ["A", "B"]
    assert intake.take_many(2) == ["C", "A"]
    assert intake.take_many(9) == ["B", "A"]


def test_many_wait_for_the_first_and_for_no_other() -> None:
    intake: Intake[str] = Intake()
    lane, _ = intake.lane(9), intake.lane(9)
    writer = threading.Timer(0.02, lane.put, ["1"])
    writer.start()
    assert intake.take_many(4) == ["1"]
    writer.join()
    intake.close()
    assert intake.take_many(4) == []
