from __future__ import annotations

from fcn_edge.bench.pareto import pareto
from tests.bench_results import bench_row


def test_rows_that_another_one_beats_in_both_are_not_on_it() -> None:
    fast = bench_row("fcn32s", "int8", milliseconds=20, miou=0.65)
    middle = bench_row("fcn16s", "int8", milliseconds=25, miou=0.71)
    worse = bench_row("fcn16s", "fp32", milliseconds=30, miou=0.70)
    slow = bench_row("fcn8s", "fp32", milliseconds=50, miou=0.74)
    assert pareto([slow, worse, fast, middle]) == (fast, middle, slow)


def test_of_equal_rows_the_first_is_on_it() -> None:
    first = bench_row(milliseconds=20, miou=0.7, noise=0)
    second = bench_row(backend="openvino", milliseconds=20, miou=0.7, noise=0)
    assert pareto([first, second]) == (first,)


def test_rows_that_cannot_be_placed_are_not_on_it() -> None:
    known = bench_row(miou=0.7)
    scores = bench_row("fcn32s", milliseconds=5, ends="scores", throughput=None)
    absent = bench_row(
        "fcn16s", state="absent", problem="There is no GPU.", network_ms=None, end_to_end_ms=None, throughput=None
    )
    assert pareto([known, bench_row("fcn8s", "int8", miou=None), scores, absent]) == (known,)
    assert pareto([]) == ()


def test_a_model_that_gets_nothing_right_is_still_the_fastest() -> None:
    wrong, right = bench_row("fcn32s", milliseconds=5, miou=0.0), bench_row(miou=0.7)
    assert pareto([right, wrong]) == (wrong, right)
