"""What a comparison calls a regression, and what it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcn_edge.bench.compare import CompareLimits, compare_results
from fcn_edge.bench.comparison import Comparison, RowChange, change_text
from fcn_edge.bench.result import BenchResult, Control, Row
from fcn_edge.errors import UsageError
from tests.bench.made_up_runs import BUSY, SHARED, pair_of_runs
from tests.bench_results import bench_result, bench_row

NO_TIMES: dict[str, Any] = {"network_ms": None, "end_to_end_ms": None, "throughput": None}


def compared(before: Row, after: Row, **options: Any) -> Comparison:
    return compare_results(bench_result(before), bench_result(after), **options)


def only(comparison: Comparison) -> RowChange:
    (row,) = comparison.rows
    return row


def drifted(result: BenchResult, factor: float) -> BenchResult:
    """The same run on a machine that is slower for everything, the control too."""
    rows = []
    for row in result.rows:
        assert row.end_to_end_ms is not None
        rounds = tuple(factor * time for time in row.end_to_end_ms.rounds)
        rows.append(row.model_copy(update={"end_to_end_ms": row.end_to_end_ms.model_copy(update={"rounds": rounds})}))
    control = Control(
        name=result.control.name,
        rounds=tuple(factor * time for time in result.control.rounds),
        moved=result.control.moved,
    )
    return result.model_copy(update={"rows": tuple(rows), "control": control})


class TestTimes:
    def test_a_slower_row_is_a_regression_with_its_interval_and_stage(self) -> None:
        after = bench_row(milliseconds=55, seed=4, stages_ms={"preprocess": 1.0, "infer": 50.0, "decode": 4.0})
        comparison = compared(bench_row(milliseconds=50), after)
        row = only(comparison)
        assert row.verdict == "slower"
        assert row.ratio is not None
        assert 1.05 < row.ratio.low < row.ratio.center < row.ratio.high < 1.15
        (regression,) = comparison.regressions
        assert (regression.name, regression.kind) == (after.name, "time")
        assert regression.reason.startswith(f"takes {row.ratio.center - 1:.1%} longer (+")
        assert regression.reason.endswith(" with 96% confidence), most of it in infer (+5.0 ms)")

    @pytest.mark.parametrize(
        ("ratio", "text"),
        [(1.102, "10.2% longer"), (0.898, "10.2% less time"), (1.0004, "no change"), (0.9994, "0.1% less time")],
    )
    def test_changes_in_words(self, ratio: float, text: str) -> None:
        assert change_text(ratio) == text

    def test_a_faster_row_is_none(self) -> None:
        comparison = compared(bench_row(milliseconds=50), bench_row(milliseconds=40, seed=4))
        assert only(comparison).verdict == "faster"
        assert comparison.regressions == ()

    def test_the_threshold_is_the_users(self) -> None:
        before, after = bench_row(milliseconds=50), bench_row(milliseconds=55, seed=4)
        allowed = compared(before, after, limits=CompareLimits(threshold=0.2))
        assert only(allowed).verdict == "unchanged"
        assert allowed.regressions == ()

    def test_a_machine_that_is_slower_for_everything_is_no_regression_and_is_told(self) -> None:
        before = bench_result(bench_row(), bench_row("fcn16s"))
        comparison = compare_results(before, drifted(before, 1.3))
        assert {row.verdict for row in comparison.rows} == {"unchanged"}
        assert comparison.control is not None
        assert comparison.control.low > 1.25

    def test_absolute_times_are_compared_as_they_are(self) -> None:
        before = bench_result(bench_row())
        comparison = compare_results(before, drifted(before, 1.3), absolute=True)
        row = only(comparison)
        assert row.verdict == "slower"
        assert row.ratio is not None
        assert row.ratio.center == pytest.approx(1.3, abs=0.01)

    def test_what_may_be_chance_is_undecided(self) -> None:
        comparison = compared(
            bench_row(milliseconds=50, noise=0.2, seed=1), bench_row(milliseconds=56, noise=0.2, seed=8)
        )
        row = only(comparison)
        assert row.verdict == "undecided"
        assert "more rounds would tell" in row.note
        assert comparison.regressions == ()

    def test_only_an_interval_within_the_threshold_is_unchanged(self) -> None:
        def times(*rounds: float) -> Row:
            row = bench_row()
            assert row.end_to_end_ms is not None
            return row.model_copy(update={"end_to_end_ms": row.end_to_end_ms.model_copy(update={"rounds": rounds})})

        wide = only(compared(times(50, 50, 50, 50), times(40.8, 51, 51, 58.8), absolute=True))
        assert wide.ratio is not None
        assert (wide.ratio.low, wide.ratio.center, wide.ratio.high) == pytest.approx((0.816, 1.02, 1.176))
        assert wide.verdict == "undecided"
        assert wide.note == "It changed by +2.0%, but -18.4% to +17.6% is possible: more rounds would tell."
        near_the_edge = only(compared(times(50, 50, 50, 50, 50), times(51.9, 52, 52.1, 52.2, 52.9), absolute=True))
        assert near_the_edge.ratio is not None
        assert near_the_edge.ratio.high > 1.05 > near_the_edge.ratio.center
        assert near_the_edge.verdict == "undecided"
        narrow = only(compared(times(49, 50, 50, 50, 50), times(50.9, 51, 51, 51, 51), absolute=True))
        assert narrow.verdict == "unchanged"

    def test_several_rows_are_told_to_widen_the_intervals(self) -> None:
        result = bench_result(*(bench_row(size=(64, 64 * number)) for number in range(1, 14)))
        assert compare_results(result, result).notes == ("Verdicts use wider intervals, for 13 rows together.",)

    def test_disturbed_rounds_are_left_out_and_counted(self) -> None:
        after = bench_row()
        assert after.end_to_end_ms is not None
        rounds = (*after.end_to_end_ms.rounds[:-1], 3 * after.end_to_end_ms.rounds[-1])
        after = after.model_copy(update={"end_to_end_ms": after.end_to_end_ms.model_copy(update={"rounds": rounds})})
        comparison = compare_results(bench_result(bench_row(), noise=0), bench_result(after, noise=0))
        ratio = only(comparison).ratio
        assert ratio is not None
        assert ratio.left_out == (0, 1)
        assert comparison.notes == ("In 1 of 1 rows, rounds far from the others are left out.",)
        assert only(comparison).to_json()["rounds_left_out"] == [0, 1]

    def test_two_rounds_are_too_few(self) -> None:
        comparison = compared(bench_row(rounds=2), bench_row(milliseconds=100, rounds=2))
        assert only(comparison).verdict == "undecided"
        assert "too few rounds" in only(comparison).note

    def test_rounds_without_their_control_are_not_compared(self) -> None:
        after = bench_result(bench_row(milliseconds=100))
        after = after.model_copy(
            update={"control": after.control.model_copy(update={"rounds": after.control.rounds[:5]})}
        )
        comparison = compare_results(bench_result(bench_row()), after)
        assert only(comparison).verdict == "undecided"

    @pytest.mark.parametrize("which", ["first", "second"])
    def test_an_unstable_run_is_judged_by_what_its_control_does_not_share(self, which: str) -> None:
        reason = "The control moved by 14%."
        before = bench_result(bench_row(), unstable=reason if which == "first" else "")
        after = bench_result(bench_row(milliseconds=100), unstable=reason if which == "second" else "")
        comparison = compare_results(before, after)
        assert only(comparison).verdict == "slower"
        assert comparison.notes == (f"The {which} run is marked unstable: {reason}",)
        absolute = compare_results(before, after, absolute=True)
        assert only(absolute).verdict == "undecided"
        assert absolute.regressions == ()

    def test_times_as_they_are_are_undecided_in_an_unstable_row(self) -> None:
        before = bench_result(bench_row(), bench_row("fcn16s"))
        after = bench_result(
            bench_row(milliseconds=100, unstable="It was throttled."), bench_row("fcn16s", milliseconds=100)
        )
        comparison = compare_results(before, after, absolute=True)
        assert {row.name.split()[0][-5:]: (row.verdict, row.note) for row in comparison.rows} == {
            "fcn8s": ("undecided", "It was throttled."),
            "cn16s": ("slower", ""),
        }

    def test_rows_are_sorted_by_their_change(self) -> None:
        before = bench_result(bench_row("fcn8s"), bench_row("fcn16s"), bench_row("fcn32s"))
        after = bench_result(
            bench_row("fcn8s", milliseconds=40), bench_row("fcn32s", milliseconds=60), bench_row("fcn16s", "int8")
        )
        names = [(row.name.split()[0].rpartition("-")[2], row.verdict) for row in compare_results(before, after).rows]
        assert names == [("fcn32s", "slower"), ("fcn8s", "faster"), ("fcn16s", "missing"), ("fcn16s", "new")]

    def test_rows_of_earlier_results_are_not_compared(self) -> None:
        recorded = bench_row(milliseconds=100, state="recorded", problem="From results/cpu.json.")
        comparison = compared(bench_row(), recorded)
        assert only(comparison).verdict == "not compared"
        assert only(comparison).ratio is None
        assert comparison.regressions == ()


class TestMissing:
    def test_a_row_that_is_gone_is_a_regression(self) -> None:
        comparison = compare_results(bench_result(bench_row(), bench_row("fcn16s")), bench_result(bench_row()))
        assert [(one.kind, one.name) for one in comparison.regressions] == [("missing", bench_row("fcn16s").name)]

    @pytest.mark.parametrize("state", ["absent", "failed"])
    def test_a_row_that_is_not_measured_any_more_is_a_regression(self, state: str) -> None:
        after = bench_row(state=state, problem="OpenVINO is not installed.", **NO_TIMES)
        comparison = compared(bench_row(), after)
        (regression,) = comparison.regressions
        assert only(comparison).verdict == "not measured"
        assert regression.kind == "missing"
        assert "OpenVINO is not installed." in regression.reason

    def test_a_row_that_neither_has_is_none(self) -> None:
        row = bench_row(state="absent", problem="There is no GPU.", **NO_TIMES)
        comparison = compared(row, row)
        assert only(comparison).verdict == "not compared"
        assert comparison.regressions == ()
        gone = compare_results(bench_result(bench_row("fcn16s"), row), bench_result(bench_row("fcn16s")))
        assert gone.regressions == ()

    def test_a_row_that_is_measured_now_is_new(self) -> None:
        comparison = compared(bench_row(state="failed", problem="It crashed.", **NO_TIMES), bench_row())
        assert only(comparison).verdict == "new"
        assert comparison.regressions == ()


class TestAccuracyAndMemory:
    def test_a_drop_of_miou_is_a_regression(self) -> None:
        comparison = compared(bench_row(miou=0.74), bench_row(miou=0.73))
        (regression,) = comparison.regressions
        assert (regression.kind, regression.reason) == ("accuracy", "mIoU fell from 74.0% to 73.0%")
        assert compared(bench_row(miou=0.74), bench_row(miou=0.735)).regressions == ()
        assert compared(bench_row(miou=0.74), bench_row(miou=0.8)).regressions == ()

    def test_a_class_that_only_one_run_has_in_its_mean_is_no_change(self) -> None:
        before, after = bench_row(miou=0.9), bench_row(miou=0.6)
        assert before.accuracy is not None
        assert after.accuracy is not None
        # the same two classes, and one that was predicted once and has no label
        before = before.model_copy(
            update={"accuracy": before.accuracy.model_copy(update={"per_class": {"a": 0.9, "b": 0.9, "c": None}})}
        )
        after = after.model_copy(
            update={"accuracy": after.accuracy.model_copy(update={"per_class": {"a": 0.9, "b": 0.9, "c": 0.0}})}
        )
        assert compared(before, after).regressions == ()
        assert compared(after, before).regressions == ()

    def test_a_drop_of_one_class_is_a_regression(self) -> None:
        before, after = bench_row(), bench_row()
        assert after.accuracy is not None
        classes = after.accuracy.per_class | {"pole": 0.70}
        after = after.model_copy(update={"accuracy": after.accuracy.model_copy(update={"per_class": classes})})
        (regression,) = compared(before, after).regressions
        assert regression.reason == "IoU of pole fell from 74.0% to 70.0%"
        assert compared(before, after, limits=CompareLimits(max_class_drop=0.04)).regressions == ()

    def test_other_images_are_not_compared_and_told(self) -> None:
        before, after = bench_row(miou=0.74), bench_row(miou=0.5)
        assert after.accuracy is not None
        after = after.model_copy(update={"accuracy": after.accuracy.model_copy(update={"split": "test"})})
        comparison = compared(before, after)
        assert comparison.regressions == ()
        assert comparison.notes == (f"Accuracy was measured on other images, and is not compared: {after.name}.",)

    def test_an_accuracy_that_was_not_measured_is_told(self) -> None:
        comparison = compared(bench_row(), bench_row(miou=None))
        assert comparison.regressions == ()
        assert comparison.notes == (f"The second run measured no accuracy of {bench_row().name}.",)

    def test_the_accuracy_of_an_earlier_result_is_not_this_runs(self) -> None:
        recorded = bench_row(miou=0.5, state="recorded", problem="From results/cpu.json.")
        assert compared(bench_row(), recorded).regressions == ()

    def test_growing_memory_is_a_regression(self) -> None:
        (regression,) = compared(bench_row(memory_mb=200), bench_row(memory_mb=230)).regressions
        assert (regression.kind, regression.reason) == ("memory", "memory grew from 200 to 230 MB")
        assert compared(bench_row(memory_mb=200), bench_row(memory_mb=215)).regressions == ()
        assert compared(bench_row(memory_mb=200), bench_row(memory_mb=None)).regressions == ()


class TestConditions:
    def test_another_machine_is_refused(self) -> None:
        before, after = bench_result(bench_row()), bench_result(bench_row(), threads=4)
        with pytest.raises(UsageError, match=r"threads: 2 and 4") as caught:
            compare_results(before, after)
        assert "--across-machines" in caught.value.fix

    def test_across_machines_times_are_compared_as_they_are(self) -> None:
        before = bench_result(bench_row())
        after = drifted(before, 2.0).model_copy(update={"threads": 1})
        comparison = compare_results(before, after, across_machines=True)
        assert comparison.absolute
        assert only(comparison).verdict == "slower"
        assert comparison.conditions == (("threads", "2", "1"),)

    def test_another_control_is_refused_where_times_are_divided_by_it(self) -> None:
        before, after = bench_result(bench_row()), bench_result(bench_row())
        after = after.model_copy(update={"control": after.control.model_copy(update={"name": "another"})})
        with pytest.raises(UsageError, match=r"control: fcn32s fp32 256x320 and another"):
            compare_results(before, after)
        comparison = compare_results(before, after, absolute=True)
        assert (comparison.control, only(comparison).verdict) == (None, "unchanged")

    def test_a_row_that_chose_another_backend_is_told(self) -> None:
        name = "camvid-mobilenet_v2-fcn8s fp32 auto 512x1024"
        before, after = bench_row(name=name), bench_row(name=name, backend="openvino", milliseconds=60)
        comparison = compared(before, after)
        assert comparison.changed == ((f"backend of {name}", "onnxruntime", "openvino"),)
        assert only(comparison).note == "The two runs chose different backends."
        assert only(comparison).verdict == "slower"
        assert compared(before, before).changed == ()

    def test_other_suites_are_told(self) -> None:
        comparison = compare_results(bench_result(bench_row()), bench_result(bench_row(), suite="mine"))
        assert comparison.notes == ("The suites differ: ladder and mine.",)


class TestOnASharedMachine:
    def test_equal_runs_have_no_regression_in_ten_of_ten(self) -> None:
        random = np.random.default_rng(20)
        for _ in range(10):
            before, after, _ = pair_of_runs(random, SHARED)
            assert compare_results(before, after).regressions == ()

    def test_a_row_slower_by_a_tenth_is_found_in_ten_of_ten(self) -> None:
        random = np.random.default_rng(21)
        for _ in range(10):
            before, after, name = pair_of_runs(random, SHARED, slower=0.1)
            assert [one.name for one in compare_results(before, after).regressions] == [name]

    def test_without_the_control_equal_runs_would_have_regressions(self) -> None:
        random = np.random.default_rng(22)
        wrong = [compare_results(*pair_of_runs(random, BUSY)[:2], absolute=True).regressions for _ in range(10)]
        assert any(wrong)
