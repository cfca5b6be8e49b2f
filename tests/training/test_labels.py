from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.datasets.rendered import rendered_splits
from fcn_edge.errors import DatasetError
from fcn_edge.training.labels import LabelCounts, label_counts, notes_on_labels, require_scorable, require_teachable

CRACKS = DatasetInfo(name="cracks", classes=("background", "crack", "rust"))


def counts(
    *pixels: int, void: int = 0, split: str = "train", images: int = 40, showing: tuple[int, ...] = (9, 9, 9)
) -> LabelCounts:
    of_images = np.minimum(showing, pixels)
    return LabelCounts(split, CRACKS, np.array(pixels, np.int64), void, images, of_images)


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
    train, val = notes_on_labels(counts(60, 30, 0, void=10), counts(0, 9, 9, split="val"))
    assert "train have no pixel of rust, which will not be learned; 10% of the pixels are void (255)" in train
    assert "val have no pixel of background: val mIoU is over 2 of 3 classes" in val
    assert notes_on_labels(counts(9, 9, 9), counts(9, 9, 9, split="val")) == []


def test_classes_that_hardly_an_image_shows_are_named() -> None:
    fine = counts(99, 99, 99, split="val")
    (note,) = notes_on_labels(counts(99, 99, 99, showing=(40, 4, 1)), fine)
    assert "hardly an image of train shows crack (4 images), rust (1 image)" in note
    assert "--balance" in note
    (note,) = notes_on_labels(counts(99, 99, 99, showing=(40, 4, 1)), fine, balanced=True)
    assert "--balance" not in note
    assert notes_on_labels(counts(99, 99, 99, showing=(40, 4, 1)), fine, alone=False) == []
    assert notes_on_labels(counts(99, 99, 99, showing=(40, 5, 5)), fine) == []
    assert notes_on_labels(counts(9, 9, 9, images=8, showing=(8, 8, 2)), fine) == [], "2 of 8 are a quarter"
    assert notes_on_labels(counts(9, 9, 9, images=8, showing=(8, 8, 1)), fine)


def test_a_val_of_a_few_images_is_told_of() -> None:
    (note,) = notes_on_labels(counts(99, 99, 99), counts(99, 99, 99, split="val", images=9))
    assert "val has 9 images: its mIoU changes by points" in note
    assert notes_on_labels(counts(99, 99, 99), counts(99, 99, 99, split="val", images=10)) == []


def test_images_that_show_a_class_are_counted() -> None:
    found = label_counts(rendered_splits("synthetic://street?frames=4&size=64x96")["train"])
    assert found.images == 4
    assert found.showing.max() == 4
    assert ((found.showing > 0) == (found.pixels > 0)).all()
