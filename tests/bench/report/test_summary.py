"""The summary says what the numbers say."""

from __future__ import annotations

from fcn_edge.bench.report.summary import headline, summary_of
from tests.bench.report.ladder import ladder
from tests.bench_results import bench_result, bench_row


def test_the_headline_counts_rows_by_state() -> None:
    text = headline(ladder())
    assert text.startswith(
        "13 rows measured (1 not steady), 1 recorded, 1 absent, 1 failed, in 9 interleaved rounds of 20"
    )


def test_the_fastest_and_the_most_accurate_are_named_with_their_numbers() -> None:
    fast, accurate = bench_row("fcn32s", milliseconds=20, miou=0.65), bench_row("fcn8s", milliseconds=40, miou=0.74)
    sentences = summary_of(bench_result(fast, accurate, bench_row("fcn16s", milliseconds=9, unstable="It swings.")))
    assert fast.end_to_end_ms is not None
    assert sentences[0].startswith(
        f"Fastest of the steady rows: FCN-32s, {fast.end_to_end_ms.p50:.1f} ms from frame to mask (96% interval: "
    )
    assert sentences[0].endswith("at 65.0% mIoU.")
    assert sentences[1].startswith("Most accurate: FCN-8s, 74.0% mIoU on 101 images of camvid val, ")


def test_a_decoder_is_compared_with_both_numbers_each_time() -> None:
    rows = [
        bench_row("fcn32s", milliseconds=50, miou=0.67, noise=0),
        bench_row("fcn8s", milliseconds=55, miou=0.745, noise=0),
    ]
    text = " ".join(summary_of(bench_result(*rows)))
    assert "FCN-8s against FCN-32s (MobileNetV2, FP32, 512x1024, ONNX Runtime): " in text
    assert "ms (+5" in text
    assert "74.5% mIoU instead of 67.0% (+7.5 points)." in text
    assert "overlap" not in text


def test_intervals_that_overlap_are_told() -> None:
    rows = [bench_row("fcn32s", milliseconds=50, noise=0.2), bench_row("fcn8s", milliseconds=50.5, noise=0.2, seed=1)]
    assert "their intervals overlap" in " ".join(summary_of(bench_result(*rows)))


def test_the_range_over_all_pairs_follows_the_first() -> None:
    text = next(sentence for sentence in summary_of(ladder()) if sentence.startswith("INT8 against FP32"))
    # six models and sizes, one of them not steady
    assert "Over all 5 such pairs: \N{MINUS SIGN}" in text
    assert "\N{MINUS SIGN}0.6 points of mIoU" in text


def test_rows_that_differ_in_more_are_no_pair() -> None:
    rows = [bench_row("fcn32s", "fp32"), bench_row("fcn8s", "int8"), bench_row("fcn8s", "int8", size=(480, 640))]
    assert not any(" against " in sentence for sentence in summary_of(bench_result(*rows)))


def test_accuracies_on_different_images_are_not_compared() -> None:
    one, other = bench_row("fcn32s"), bench_row("fcn8s", milliseconds=90)
    assert other.accuracy is not None
    other = other.model_copy(update={"accuracy": other.accuracy.model_copy(update={"split": "test"})})
    sentences = summary_of(bench_result(one, other))
    assert not any(sentence.startswith("Most accurate") for sentence in sentences)
    assert "points" not in " ".join(sentences)


def test_an_accurate_row_counts_though_its_times_are_not_steady() -> None:
    shaky = bench_row("fcn8s", milliseconds=20, miou=0.74, unstable="It swings.")
    sentences = summary_of(bench_result(bench_row("fcn32s", milliseconds=30, miou=0.65), shaky))
    assert sentences[0].startswith("Fastest of the steady rows: FCN-32s")
    assert sentences[1].startswith("Most accurate: FCN-8s, 74.0% mIoU")
    assert sentences[1].endswith(" ms (not steady).")


def test_a_run_without_steady_rows_compares_none() -> None:
    scores = bench_row("fcn32s", miou=None, ends="scores")
    first, second = summary_of(bench_result(bench_row(unstable="It swings."), scores))
    assert first.startswith("No row of this run has steady times")
    assert second.startswith("Most accurate: FCN-8s")
