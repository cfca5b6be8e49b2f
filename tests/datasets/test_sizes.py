"""Photos with an EXIF orientation, whose labels have none."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.datasets.check import check_dataset
from fcn_edge.datasets.convert import LabelConverter, import_dataset
from fcn_edge.datasets.folder import Split
from fcn_edge.datasets.info import DatasetInfo
from fcn_edge.datasets.mapping import LabelMapping
from fcn_edge.datasets.pairing import paired_files
from fcn_edge.datasets.sizes import Turned
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import write_png
from tests.image_files import encoded, picture, turned

TURNED = r"turned by 90 degrees clockwise by its EXIF orientation \(6\) and so 60x40; its labels are 40x60"


def photo_split(root: Path, orientation: int, label_size: tuple[int, int]) -> Path:
    split = root / "train"
    (split / "images").mkdir(parents=True)
    (split / "labels").mkdir()
    (root / "dataset.toml").write_text('name = "tiny"\nclasses = ["a", "b"]\nvoid = 255\n')
    (split / "images" / "photo.jpg").write_bytes(turned(encoded(".jpg", picture()), orientation))
    labels = np.zeros(label_size, np.uint8)
    labels[:5] = 1
    write_png(split / "labels" / "photo.png", labels)
    return split


def test_labels_of_the_photo_before_it_was_turned_are_told_the_turn(tmp_path: Path) -> None:
    root = tmp_path / "my photos"
    split = photo_split(root, 6, (40, 60))
    with pytest.raises(DatasetError, match=TURNED) as caught:
        Split(split)[0].pair()
    assert "must be turned by 90 degrees clockwise, too" in caught.value.fix
    assert "esize" not in caught.value.fix
    assert shlex.split(caught.value.fix)[-1] == str(split / "images/photo.jpg")
    assert any("EXIF orientation (6)" in problem for problem in check_dataset(root, lambda *_: None).problems)


def test_labels_that_were_turned_are_right(tmp_path: Path) -> None:
    image, labels = Split(photo_split(tmp_path, 6, (60, 40)))[0].pair()
    assert (image.shape, labels.shape) == ((60, 40, 3), (60, 40))
    report = check_dataset(tmp_path, lambda *_: None)
    assert (report.problems, report.warnings) == ([], [])


def test_other_sizes_are_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="must be of one size") as caught:
        Split(photo_split(tmp_path, 6, (40, 61)))[0].pair()
    assert "nearest-neighbor" in caught.value.fix


def test_labels_with_an_orientation_of_their_own_are_told_the_turn(tmp_path: Path) -> None:
    split = photo_split(tmp_path, 6, (40, 60))
    (split / "images" / "photo.jpg").write_bytes(encoded(".jpg", picture(60, 40)))
    labels = split / "labels" / "photo.png"
    labels.write_bytes(turned(labels.read_bytes(), 6))
    with pytest.raises(
        DatasetError, match=r"photo\.png is 40x60 as it lies in its file.*EXIF orientation \(6\)"
    ) as caught:
        Split(split)[0].pair()
    assert caught.value.fix.startswith("Save them turned by 90 degrees clockwise")


def test_where_no_size_can_tell_a_check_warns_once(tmp_path: Path) -> None:
    photo_split(tmp_path, 3, (40, 60))
    report = check_dataset(tmp_path, lambda *_: None)
    assert report.problems == []
    (warning,) = report.warnings
    assert warning.startswith("1 image is turned by EXIF orientation, and no size tells")
    assert "photo.jpg is turned by 180 degrees" in warning


def test_where_no_size_can_tell_an_import_warns(tmp_path: Path) -> None:
    split = photo_split(tmp_path / "raw", 3, (40, 60))
    mapping = LabelMapping(DatasetInfo(name="tiny", classes=("a", "b")), "ids", {0: 0, 1: 1})
    pairs = paired_files(split / "images", split / "labels").pairs
    result = import_dataset(
        pairs, LabelConverter(mapping), tmp_path / "out", split="train", link=False, progress=lambda *_: None
    )
    assert "photo.jpg is turned by 180 degrees" in result.warning


def test_squares_of_any_turn_are_counted(tmp_path: Path) -> None:
    turn = Turned()
    for orientation in range(1, 9):
        path = tmp_path / f"{orientation}.jpg"
        path.write_bytes(turned(encoded(".jpg", picture(32, 32)), orientation))
        assert turn.add(path, (32, 32)) == orientation
    assert turn.warning().startswith("7 images are turned by EXIF orientation")
    assert "2.jpg is mirrored left to right" in turn.warning()
