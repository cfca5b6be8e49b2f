"""The front of accuracy and latency, and which rows decoders are compared on."""

from __future__ import annotations

from fcn_edge.bench.report.per_class import per_class_of
from fcn_edge.bench.report.plots.pareto import front_of, scored
from tests.bench.report.ladder import ladder
from tests.bench_results import bench_row


def test_the_front_holds_rows_that_none_beats_in_both() -> None:
    slow = bench_row("fcn32s", milliseconds=60, miou=0.7)
    front = [bench_row("fcn16s", milliseconds=20, miou=0.65), bench_row("fcn8s", milliseconds=50, miou=0.74)]
    assert front_of([slow, *reversed(front)]) == front


def test_rows_of_other_runs_are_no_part_of_the_front_and_unsteady_ones_are() -> None:
    shaky = bench_row("fcn8s", milliseconds=10, miou=0.8, unstable="It swings.")
    recorded = bench_row("fcn8s", milliseconds=10, miou=0.8, state="recorded")
    steady = bench_row("fcn32s", milliseconds=60, miou=0.7)
    assert front_of([shaky, recorded, steady]) == [shaky]


def test_rows_scored_on_other_images_are_left_out() -> None:
    rows = [bench_row("fcn32s"), bench_row("fcn16s"), bench_row("fcn8s")]
    assert rows[2].accuracy is not None
    rows[2] = rows[2].model_copy(update={"accuracy": rows[2].accuracy.model_copy(update={"rendered": True})})
    assert scored(rows) == rows[:2]
    assert scored([]) == []


def test_classes_are_compared_where_nothing_else_differs() -> None:
    classes = per_class_of(ladder().rows)
    assert classes is not None
    assert classes.decoders == ("fcn32s", "fcn16s", "fcn8s")
    assert (
        classes.caption
        == "MobileNetV2, FP32, 512x1024, ONNX Runtime; 101 images of camvid val, which show 3 of 4 classes."
    )
    shares = dict(classes.shares)
    assert shares["bridge"] == (None, None, None)
    assert [round(gain, 3) if gain is not None else None for gain in classes.gains] == [0.0, 0.296, 0.0, None]


def test_without_accuracy_there_are_no_classes() -> None:
    assert per_class_of([bench_row(miou=None)]) is None
