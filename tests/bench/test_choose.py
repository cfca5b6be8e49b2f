"""Which row meets which limits, and what is said where none does."""

from __future__ import annotations

from typing import Any

import pytest

from fcn_edge.bench.choose import Choice, choose
from fcn_edge.bench.limits import Wanted
from fcn_edge.bench.result import Power, Row
from tests.bench_results import bench_result, bench_row

SMALL = (480, 640)


def row(decoder: str, precision: str, milliseconds: float, miou: float | None, **changes: Any) -> Row:
    changes = {"noise": 0.0, "size": SMALL, **changes}
    return bench_row(decoder, precision, milliseconds=milliseconds, miou=miou, **changes)


def watts(value: float) -> Power:
    return Power(watts=value, source="the board")


LADDER = (
    row("fcn32s", "int8", 25, 0.65, power=watts(6), memory_mb=100),
    row("fcn16s", "int8", 32, 0.71, power=watts(8), memory_mb=150),
    row("fcn8s", "int8", 40, 0.735, power=watts(9), memory_mb=200),
    row("fcn8s", "fp32", 80, 0.745, power=watts(14), memory_mb=300),
)


def told(choice: Choice) -> str:
    assert choice.conflict is not None
    return choice.conflict.message


def chosen(*rows: Row, **limits: float) -> Choice:
    return choose(bench_result(*rows), Wanted(**limits))


@pytest.mark.parametrize(
    ("limits", "decoder", "precision"),
    [
        ({"fps": 10}, "fcn8s", "fp32"),
        ({"fps": 15}, "fcn8s", "int8"),
        ({"fps": 30}, "fcn16s", "int8"),
        ({"fps": 40}, "fcn32s", "int8"),
        ({"latency_ms": 33}, "fcn16s", "int8"),
        ({"max_watts": 8.5}, "fcn16s", "int8"),
        ({"max_memory_mb": 100}, "fcn32s", "int8"),
        ({"fps": 15, "max_drop": 0.02, "max_watts": 10}, "fcn8s", "int8"),
        ({"max_drop": 0}, "fcn8s", "fp32"),
        ({"min_miou": 0.7}, "fcn8s", "fp32"),
    ],
)
def test_the_most_accurate_that_meets_all_is_chosen(limits: dict[str, float], decoder: str, precision: str) -> None:
    choice = chosen(*LADDER, **limits)
    assert choice.conflict is None
    assert choice.row is not None
    assert (choice.row.decoder, choice.row.precision) == (decoder, precision)


def test_its_values_are_handed_on() -> None:
    content = chosen(*LADDER, fps=15, max_watts=10).to_json()
    assert content["model"] == "camvid-mobilenet_v2-fcn8s"
    assert content["precision"] == "int8"
    assert content["size"] == [480, 640]
    assert content["command"].startswith("fcn-edge build camvid-mobilenet_v2-fcn8s")
    assert content["meets"] is True
    assert content["limits"] == [
        {"option": "--fps 15", "bound": 15, "value": pytest.approx(25), "nearest": None},
        {"option": "--max-watts 10", "bound": 10, "value": 9, "nearest": None},
    ]
    assert content["pareto"] == [one.name for one in LADDER]


def test_the_lower_end_of_the_throughput_counts() -> None:
    unsteady = row("fcn8s", "int8", 50, 0.73, noise=0.1)
    assert unsteady.throughput is not None
    low = unsteady.throughput.interval[0]
    assert low < 19 < unsteady.throughput.fps
    assert chosen(unsteady, fps=19).row is None
    assert chosen(unsteady, fps=low - 0.01).row == unsteady


def test_of_those_that_are_equally_accurate_the_fastest_is_chosen() -> None:
    slow, fast = row("fcn8s", "fp32", 50, 0.7451), row("fcn8s", "fp32", 45, 0.7445, backend="openvino")
    assert chosen(slow, fast, fps=1).row == fast
    better = row("fcn8s", "fp32", 50, 0.7461)
    assert chosen(better, fast, fps=1).row == better


def test_of_those_that_are_equally_accurate_a_steady_one_is_preferred() -> None:
    steady = row("fcn8s", "fp32", 50, 0.7451)
    shaky = row("fcn8s", "fp32", 40, 0.7445, backend="openvino", unstable="It was throttled.")
    assert chosen(steady, shaky, fps=1).row == steady
    assert chosen(steady, shaky, fps=22).row == shaky, "the limit leaves no other"
    less = row("fcn16s", "fp32", 20, 0.71)
    assert chosen(less, shaky, fps=1).row == shaky, "accuracy comes first"


def test_rows_that_were_recorded_on_another_device_are_left_out() -> None:
    other = row("fcn8s", "fp16", 5, 0.76, state="recorded", device="Orin", problem="Recorded on Orin.")
    choice = chosen(*LADDER, other, fps=1, max_drop=0.01)
    assert choice.row == LADDER[3]
    assert choice.notes == (f"Not considered, because they were recorded on another device: {other.name}.",)
    assert other not in choice.front
    same = other.model_copy(update={"device": LADDER[0].device})
    assert chosen(*LADDER, same, fps=1).row == same
    assert chosen(other, fps=1).row == other, "a result of nothing but recorded rows"


def test_the_slowest_of_a_few_frames_is_told_from_a_percentile() -> None:
    few = row("fcn8s", "int8", 40, 0.73)
    assert few.end_to_end_ms is not None
    few = few.model_copy(update={"end_to_end_ms": few.end_to_end_ms.model_copy(update={"frames": 12})})
    assert chosen(few, latency_ms=50).notes == ("p99 of 12 frames is the slowest of them.",)
    assert chosen(few, latency_ms=1).notes == ("p99 of 12 frames is the slowest of them.",)
    assert chosen(few, fps=1).notes == ()
    assert chosen(LADDER[2], latency_ms=50).notes == ()


def test_without_limits_there_is_a_front_and_no_choice() -> None:
    choice = chosen(*LADDER)
    assert (choice.row, choice.conflict, choice.front) == (None, None, LADDER)
    assert choice.to_json()["meets"] is None


class TestConflict:
    def test_one_limit_that_cannot_be_met_is_named(self) -> None:
        choice = chosen(*LADDER, fps=100, max_drop=0.02)
        assert choice.row is None
        assert told(choice) == (
            f"--fps 100 cannot be met: the nearest is {LADDER[0].name} with 40.0 fps (lower end of its interval)."
        )
        content = choice.to_json()
        assert content["meets"] is False
        assert [(one["value"], one["nearest"]) for one in content["limits"]] == [
            (None, pytest.approx(40)),
            (None, None),
        ]

    def test_two_that_exclude_each_other_are_named_with_the_rows_on_either_side(self) -> None:
        choice = chosen(*LADDER, fps=30, max_drop=0.02, max_watts=20)
        assert told(choice) == (
            "--fps 30 and --max-drop 0.02 cannot be met together: "
            f"with mIoU of at least 72.5% the nearest is {LADDER[2].name} with 25.0 fps (lower end of its interval); "
            f"with at least 30 fps the nearest is {LADDER[1].name} with mIoU 71.0%."
        )
        assert [one["nearest"] for one in choice.to_json()["limits"]] == [pytest.approx(25), 0.71, None]

    def test_three_that_exclude_each_other_only_together(self) -> None:
        rows = (
            row("fcn32s", "int8", 20, 0.60, power=watts(5)),
            row("fcn16s", "int8", 20, 0.75, power=watts(20)),
            row("fcn8s", "int8", 80, 0.75, power=watts(5)),
        )
        choice = chosen(*rows, fps=30, min_miou=0.7, max_watts=10)
        assert told(choice).startswith("--fps 30, --min-miou 0.7 and --max-watts 10 cannot be met together: ")
        assert all(one.name in told(choice) for one in rows)

    def test_a_machine_without_a_sensor_is_told(self) -> None:
        choice = chosen(row("fcn8s", "int8", 40, 0.73), max_watts=10)
        assert told(choice) == (
            "--max-watts 10 cannot be met: power was not measured: "
            "This machine has no power sensor that fcn_edge reads."
        )

    def test_results_without_accuracy_meet_no_limit_of_it(self) -> None:
        choice = chosen(row("fcn8s", "int8", 40, None), max_drop=0.02)
        assert told(choice) == "--max-drop 0.02 cannot be met: accuracy was not measured."

    def test_a_value_that_only_the_wrong_rows_have(self) -> None:
        rows = (row("fcn8s", "int8", 80, 0.73, power=watts(5)), row("fcn32s", "int8", 20, 0.65))
        choice = chosen(*rows, fps=30, max_watts=10)
        assert "power of those with at least 30 fps was not measured" in told(choice)

    def test_nothing_to_choose_from(self) -> None:
        scores = row("fcn32s", "fp32", 5, 0.6, ends="scores", throughput=None)
        choice = chosen(scores, fps=1)
        assert told(choice) == "No row was timed from frame to mask."
        assert choice.conflict is not None
        assert choice.conflict.fix == "Run fcn-edge bench on a machine that can run these models."


class TestNotes:
    def test_rows_without_a_value_are_named(self) -> None:
        without = row("fcn8s", "fp32", 20, 0.76)
        choice = chosen(*LADDER[:3], without, max_watts=10)
        assert choice.row == LADDER[2]
        assert choice.notes == (f"Not considered, because power was not measured: {without.name}.",)

    def test_without_any_accuracy_the_fastest_is_chosen_and_that_is_told(self) -> None:
        slow, fast = row("fcn8s", "fp32", 50, None), row("fcn32s", "fp32", 30, None)
        choice = chosen(slow, fast, fps=10)
        assert choice.row == fast
        assert choice.notes == (
            "No row that meets the limits has an accuracy: the one with the most throughput was chosen.",
        )

    def test_a_row_without_accuracy_is_not_preferred(self) -> None:
        assert chosen(row("fcn32s", "fp32", 10, None), LADDER[0], fps=10).row == LADDER[0]

    def test_accuracies_on_other_images_do_not_count(self) -> None:
        other = row("fcn8s", "fp32", 30, 0.9)
        assert other.accuracy is not None
        other = other.model_copy(update={"accuracy": other.accuracy.model_copy(update={"dataset": "cityscapes"})})
        choice = chosen(*LADDER[:3], other, max_drop=0.01)
        assert choice.row == LADDER[2]
        assert choice.notes[0] == f"Accuracies on other images than those of camvid val do not count: {other.name}."

    def test_unstable_rows_and_runs_can_be_chosen_and_are_told(self) -> None:
        shaky = row("fcn8s", "int8", 40, 0.73, unstable="It was throttled.")
        choice = choose(bench_result(shaky, unstable="The control moved by 14%."), Wanted(fps=10))
        assert choice.row == shaky
        assert choice.notes == (
            "The run is not to be relied on: The control moved by 14%.",
            f"The times of {shaky.name} are not to be relied on: It was throttled.",
        )

    def test_recorded_rows_and_rendered_images_are_told(self) -> None:
        old = row("fcn8s", "int8", 40, 0.73, state="recorded", problem="From results/cpu.json.")
        assert old.accuracy is not None
        old = old.model_copy(update={"accuracy": old.accuracy.model_copy(update={"rendered": True})})
        notes = chosen(old, fps=10).notes
        assert any("rendered images" in note for note in notes)
        assert any("From results/cpu.json." in note for note in notes)
