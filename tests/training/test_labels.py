from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.errors import DatasetError
from fcn_edge.training.labels import LabelCounts, notes_on_labels, require_scorable, require_teachable

CRACKS = DatasetInfo(name="cracks", classes=("background", "crack", "rust"))


def counts(*pixels: int, void: int = 0, split: str = "train") -> LabelCounts:
    return LabelCounts(split, CRACKS, np.array(pixels, np.int64), void)


def test_one_class_beside_void_is_refused_with_the_way_out() -> None:
    with pytest.raises(DatasetError) as caught:
        require_teachable(counts(72, 0, 0, void=28))
    assert caught.value.message == (
        "The labels of cracks train show background alone, and no pixel of crack, rust; 28% of the pixels are void "
        "(255). Two classes or more were expected."
    )
    assert "masks of 0 and 255" in caught.value.fix
    assert "fcn-edge data import --map FILE, in which that class has the source 255" in caught.value.fix


def test_one_class_without_void_has_wrong_ids() -> None:
    with pytest.raises(DatasetError) as caught:
        require_teachable(counts(0, 9, 0))
    assert "show crack alone" in caught.value.message
    assert "order of the classes" in caught.value.fix


def test_void_alone_is_refused() -> None:
    with pytest.raises(DatasetError, match="show no class at all; 100% of the pixels are void"):
        require_teachable(counts(0, 0, 0, void=5))
    with pytest.raises(DatasetError, match="val cannot be scored: 100% of the pixels are void"):
        require_scorable(counts(0, 0, 0, void=5, split="val"))


def test_two_classes_of_three_are_told_of_and_all_of_them_are_not() -> None:
    require_teachable(counts(5, 5, 0))
    require_scorable(counts(0, 0, 1, split="val"))
    train, val = notes_on_labels(counts(60, 30, 0, void=10), counts(0, 5, 5, split="val"))
    assert "train have no pixel of rust, which will not be learned; 10% of the pixels are void (255)" in train
    assert "val have no pixel of background: val mIoU is over 2 of 3 classes" in val
    assert notes_on_labels(counts(1, 1, 1), counts(1, 1, 1, split="val")) == []
