from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fcn_edge.datasets import Split, split_of, splits_of
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import write_png

MakeSplit = Callable[..., Path]


def test_samples_come_by_name(make_split: MakeSplit) -> None:
    split = Split(make_split(images=11))
    assert len(split) == 11
    names = [sample.name for sample in split]
    assert names == sorted(names)
    assert split[1].name == "frame1"
    assert [sample.name for sample in split[1:3]] == names[1:3]
    assert (split.name, split.info.name, split.rendered) == ("train", "tiny", False)


def test_a_pair_is_what_the_files_hold(make_split: MakeSplit) -> None:
    directory = make_split()
    image, labels = Split(directory)[1].pair()
    assert (image == cv2.imread(str(directory / "images/frame1.png"))).all()
    assert (labels == cv2.imread(str(directory / "labels/frame1.png"), cv2.IMREAD_UNCHANGED)).all()
    assert image.shape == (8, 12, 3)
    assert labels.shape == (8, 12)
    assert image.dtype == labels.dtype == np.uint8


def test_images_and_labels_may_have_other_suffixes(make_split: MakeSplit) -> None:
    directory = make_split(images=1)
    (directory / "images/frame0.png").rename(directory / "images/frame0.PNG")
    assert Split(directory)[0].pair()[0].shape == (8, 12, 3)


def test_hidden_and_other_files_are_left_out(make_split: MakeSplit) -> None:
    directory = make_split(images=2)
    (directory / "images/._frame0.png").write_bytes(b"what some systems leave behind")
    (directory / "images/Thumbs.db").write_bytes(b"")
    assert len(Split(directory)) == 2


def test_labels_without_an_image_do_not_count(make_split: MakeSplit) -> None:
    directory = make_split(images=2)
    (directory / "images/frame0.png").unlink()
    assert [sample.name for sample in Split(directory)] == ["frame1"]


def test_a_missing_label_is_an_error(make_split: MakeSplit) -> None:
    directory = make_split()
    (directory / "labels/frame1.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 3 images .* the first is frame1\.png"):
        Split(directory)


def test_a_wrong_label_value_is_named(make_split: MakeSplit) -> None:
    directory = make_split()
    write_png(directory / "labels/frame2.png", np.full((8, 12), 3, np.uint8))
    with pytest.raises(DatasetError, match=r"frame2\.png holds the label 3; 0 to 2 or void \(9\)"):
        Split(directory)[2].pair()


def test_sizes_that_differ_are_an_error(make_split: MakeSplit) -> None:
    directory = make_split()
    write_png(directory / "labels/frame0.png", np.zeros((8, 11), np.uint8))
    with pytest.raises(DatasetError, match=r"frame0\.png is 8x12 and its labels are 8x11 \(height x width\)"):
        Split(directory)[0].pair()


def test_two_images_of_one_stem_are_an_error(make_split: MakeSplit) -> None:
    directory = make_split()
    shutil.copy(directory / "images/frame0.png", directory / "images/frame0.jpg")
    with pytest.raises(DatasetError, match=r"frame0\.jpg and frame0\.png share one stem"):
        Split(directory)


def test_no_images(make_split: MakeSplit) -> None:
    with pytest.raises(DatasetError, match="holds no images"):
        Split(make_split(images=0))


def test_no_such_directory(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no data directory"):
        Split(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no data directory"):
        splits_of(tmp_path / "absent")


def test_a_root_is_no_split_but_names_its_splits(make_split: MakeSplit) -> None:
    root = make_split("train").parent
    make_split("val")
    with pytest.raises(DatasetError, match="is not a split") as caught:
        split_of(root)
    assert "train, val" in caught.value.fix


def test_the_splits_of_a_root(make_split: MakeSplit) -> None:
    root = make_split("train").parent
    make_split("val", images=2)
    (root / "notes").mkdir()
    splits = splits_of(root)
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "val": 2}
    assert {name: split.name for name, split in splits.items()} == {"train": "train", "val": "val"}


def test_a_split_is_its_own_root(make_split: MakeSplit, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make_split("mine")
    assert list(splits_of(directory)) == ["mine"]
    monkeypatch.chdir(directory)
    assert list(splits_of(".")) == ["mine"]


def test_a_root_without_splits(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no splits"):
        splits_of(tmp_path)


def test_camvid(camvid: Path) -> None:
    splits = splits_of(camvid)
    assert {name: len(split) for name, split in splits.items()} == {"train": 367, "val": 101}
    image, labels = splits["val"][0].pair()
    assert image.shape == (360, 480, 3)
    assert labels.shape == (360, 480)
