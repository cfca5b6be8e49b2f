from __future__ import annotations

from typing import Any

import pytest

from fcn_edge.artifacts.records import AccuracyRecord, over_classes

CONTENT: dict[str, Any] = {
    "dataset": "cracks", "split": "val", "images": 2, "size": [64, 64],
    "miou": 0.9, "pixel_accuracy": 0.9, "mean_accuracy": 0.9, "fw_iou": 0.9,
}  # fmt: skip


def test_a_record_says_over_how_many_classes_its_means_are() -> None:
    record = AccuracyRecord.model_validate({**CONTENT, "per_class": {"background": 0.9, "crack": None}})
    assert record.classes_present == 1
    assert record.over == " over 1 of 2 classes"
    assert record.model_dump(mode="json")["classes_present"] == 1


def test_nothing_is_said_of_all_classes() -> None:
    record = AccuracyRecord.model_validate({**CONTENT, "per_class": {"background": 0.9, "crack": 0.0}})
    assert (record.classes_present, record.over) == (2, "")


@pytest.mark.parametrize("more", [{}, {"classes_present": 7}])
def test_records_of_yesterday_and_ones_own_are_read_alike(more: dict[str, Any]) -> None:
    record = AccuracyRecord.model_validate({**CONTENT, **more, "per_class": {"background": 0.9, "crack": None}})
    assert record.classes_present == 1
    assert AccuracyRecord.model_validate(record.model_dump(mode="json")) == record


def test_what_follows_a_mean() -> None:
    assert over_classes(10, 11) == " over 10 of 11 classes"
    assert over_classes(11, 11) == ""
