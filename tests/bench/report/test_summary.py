"""The summary says what the numbers say."""

from __future__ import annotations

import re

from fcn_edge.bench.report.summary import headline, summary_of
from tests.bench.report.ladder import digest_of, ladder
from tests.bench_results import bench_result, bench_row


def test_the_headline_counts_rows_by_state() -> None:
    text = headline(ladder())
    assert text.startswith(
        "13 rows measured (1 not steady), 1 recorded, 1 absent, 1 failed, in 9 interleaved rounds of 20"
    )


def test_the_fastest_and_the_most_accurate_are_named_with_their_numbers() -> None:
    fast, accurate = bench_row("fcn32s", milliseconds=20, miou=0.65), bench_row("fcn8s", milliseconds=40, miou=0.74)
    sentences = summary_of(
        bench_result(fast, accurate, bench_row("fcn16s", milliseconds=9, miou=0.7, unstable="It swings."))
    )
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
    assert re.search(r"ms \(.?\d\.\d; their intervals overlap\)", " ".join(summary_of(bench_result(*rows))))
    assert "their intervals overlap" in " ".join(summary_of(bench_result(*rows)))


def test_the_range_over_all_pairs_follows_the_first() -> None:
    text = next(sentence for sentence in summary_of(ladder()) if sentence.startswith("INT8 against FP32"))
    # six models and sizes, one of them not steady
    assert text.startswith("INT8 against FP32 (MobileNetV2, FCN-32s, 480x640, ONNX Runtime): ")
    assert "Over all 5 such pairs: 2.4 times as fast, \N{MINUS SIGN}0.6 points of mIoU." in text


def test_what_is_slower_in_all_pairs_takes_longer() -> None:
    text = next(sentence for sentence in summary_of(ladder()) if sentence.startswith("FCN-8s against FCN-32s"))
    assert re.search(r"Over all 3 such pairs: 1\.\d\d to 1\.\d\d times as long, \+7\.4 points of mIoU\.", text)


def test_rows_that_differ_in_more_are_no_pair() -> None:
    rows = [bench_row("fcn32s", "fp32", digest=digest_of("fcn32s")), bench_row("fcn8s", "int8")]
    rows.append(bench_row("fcn8s", "int8", size=(480, 640)))
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
    shaky = [bench_row(unstable="It swings."), bench_row("fcn32s", miou=0.6, unstable="It swings.")]
    first, second = summary_of(bench_result(*shaky, bench_row("fcn32s", miou=None, ends="scores", name="scores")))
    assert first.startswith("No row of this run has steady times")
    assert second.startswith("Most accurate: FCN-8s")


def test_a_run_that_drifted_has_no_fastest_row() -> None:
    sentences = summary_of(ladder(unstable="The control moved by 9.3%."))
    assert sentences[0] == "The machine was not steady: times differ by more than their intervals show."
    assert not any("Fastest" in sentence for sentence in sentences)
    assert sentences[1].startswith("Most accurate: ")


def test_rows_that_may_be_as_fast_are_named() -> None:
    rows = [bench_row("fcn32s", milliseconds=50, noise=0.02), bench_row("fcn8s", milliseconds=50.3, noise=0.02)]
    rows.append(bench_row("fcn16s", milliseconds=90))
    first = summary_of(bench_result(*rows))[0]
    assert rows[1].end_to_end_ms is not None
    assert first.endswith(f"at 74.0% mIoU; FCN-8s ({rows[1].end_to_end_ms.p50:.1f} ms) may be as fast.")
    many = [bench_row(size=(32 * step, 64), noise=0.02, milliseconds=50 + step / 100) for step in range(1, 6)]
    assert summary_of(bench_result(*many))[0].endswith("; 4 other rows may be as fast.")


def test_rows_within_a_tenth_of_a_point_are_equally_accurate() -> None:
    fast, slow = bench_row("fcn32s", milliseconds=20, noise=0), bench_row("fcn8s", milliseconds=40, noise=0)
    assert summary_of(bench_result(slow, fast))[1] == (
        "Most accurate: FCN-32s and FCN-8s, 74.0% mIoU on 101 images of camvid val, 20.0 ms and 40.0 ms."
    )
    close = bench_row("fcn16s", milliseconds=30, miou=0.739, noise=0)
    assert summary_of(bench_result(slow, close))[1] == (
        "Most accurate: FCN-8s, 74.0% mIoU on 101 images of camvid val, 40.0 ms; 1 other row is within 0.1 points."
    )
    assert summary_of(bench_result(slow, fast, close))[1].endswith("; 2 other rows are within 0.1 points.")


def test_one_row_is_one_sentence() -> None:
    row = bench_row(milliseconds=50, noise=0)
    end = "74.0% mIoU on 101 images of camvid val."
    dash = "\N{EN DASH}"
    assert summary_of(bench_result(row)) == [
        f"FCN-8s: 50.0 ms from frame to mask (96% interval: 50.0{dash}50.0 ms), {end}"
    ]
    once = bench_row(milliseconds=50, noise=0, rounds=1, unstable="It was measured once.")
    assert summary_of(bench_result(once)) == [f"FCN-8s: 50.0 ms from frame to mask (not steady), {end}"]


def test_rendered_accuracy_is_called_so() -> None:
    rows = [bench_row("fcn32s", milliseconds=20), bench_row("fcn8s")]
    for index, row in enumerate(rows):
        assert row.accuracy is not None
        rows[index] = row.model_copy(update={"accuracy": row.accuracy.model_copy(update={"rendered": True})})
    sentence = "mIoU was measured on rendered images, which says nothing of real ones."
    assert sentence in summary_of(bench_result(*rows))
    assert sentence not in summary_of(bench_result(bench_row()))


def test_precisions_are_compared_by_weights_and_not_by_name() -> None:
    rows = [bench_row(), bench_row(precision="int8", milliseconds=25, model="engines/mine", name="mine")]
    assert any(sentence.startswith("INT8 against FP32") for sentence in summary_of(bench_result(*rows)))
    rows[1] = rows[1].model_copy(update={"digest": "1" * 64})
    assert not any(" against " in sentence for sentence in summary_of(bench_result(*rows)))
