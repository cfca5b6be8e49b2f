"""What is said of single rows."""

from __future__ import annotations

from fcn_edge.bench.report.notes import Notes
from fcn_edge.bench.result import Row
from tests.bench_results import bench_row


def wide(row: Row) -> tuple[Row, str]:
    """The row as one whose interval is too wide, and how wide that is."""
    assert row.end_to_end_ms is not None
    low, high = row.end_to_end_ms.interval
    share = f"{(high - low) / row.end_to_end_ms.p50:.1%}"
    sentence = f"After 9 rounds its median is known to {share} of itself; 0% was expected."
    return row.model_copy(update={"unstable": sentence}), share


def on_other_images(row: Row, images: int) -> Row:
    assert row.accuracy is not None
    accuracy = row.accuracy.model_copy(update={"dataset": "mine", "images": images})
    return row.model_copy(update={"accuracy": accuracy})


def test_unsteady_rows_share_a_note_and_have_their_own_percentage() -> None:
    (one, first), (other, second) = wide(bench_row("fcn32s")), wide(bench_row("fcn8s", noise=0.1))
    notes = Notes([one, other, bench_row("fcn16s", unstable="There were 2 rounds.")])
    assert first != second
    assert list(notes.marks.values()) == [
        f"not steady ({first}), note 1", f"not steady ({second}), note 1", "not steady, note 2"
    ]  # fmt: skip
    assert len(notes.sentences) == 2
    assert notes.sentences[1] == (2, "Not steady: There were 2 rounds.")


def test_mean_iou_of_different_images_is_told_row_by_row() -> None:
    rows = [bench_row("fcn32s"), on_other_images(bench_row("fcn8s"), 40)]
    notes = Notes([*rows, bench_row("fcn16s", miou=None)])
    assert notes.on_images == "mIoU of different images does not compare."
    assert notes.sentences == [(1, "mIoU on 101 images of camvid val."), (2, "mIoU on 40 images of mine val.")]
    assert notes.marks == {rows[0].name: "note 1", rows[1].name: "note 2"}


def test_one_set_of_images_is_named_once() -> None:
    notes = Notes([bench_row("fcn32s"), bench_row("fcn8s")])
    assert notes.on_images == "mIoU: 101 images of camvid val."
    assert not notes.sentences
    assert Notes([bench_row(miou=None)]).on_images == ""


def test_intervals_have_the_confidence_of_their_rounds() -> None:
    assert Notes([bench_row()]).on_intervals == "96%"
    assert Notes([bench_row(), bench_row("fcn32s", rounds=3)]).on_intervals == "75% to 96%"
    assert Notes([bench_row(rounds=1)]).on_intervals == ""
