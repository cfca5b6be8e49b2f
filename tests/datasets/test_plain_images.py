from __future__ import annotations

from pathlib import Path

import pytest

from fcn_edge.datasets.plain_images import image_files, where_images_are
from fcn_edge.errors import DatasetError


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    touched(tmp_path, "a.jpg", "._a.jpg", "b.PNG", "notes.txt")
    assert [path.name for path in image_files(tmp_path)] == ["a.jpg", "b.PNG"]


def test_many_are_taken_evenly(tmp_path: Path) -> None:
    touched(tmp_path, *(f"images/{index:02d}.png" for index in range(10)))
    assert [path.stem for path in image_files(tmp_path, 5)] == ["00", "02", "04", "06", "08"]


def test_an_empty_folder_names_where_the_images_are(tmp_path: Path) -> None:
    touched(tmp_path, "left/train/bonn/1.png", "left/train/bonn/2.png", "left/train/ulm/1.png", "notes/a.txt")
    with pytest.raises(DatasetError, match="holds no images") as caught:
        image_files(tmp_path)
    train = tmp_path / "left/train"
    assert caught.value.fix == f"Name the directory that holds the images: {train / 'bonn'}, {train / 'ulm'}."


def test_splits_are_named_before_other_folders(tmp_path: Path) -> None:
    touched(tmp_path, "val/images/1.png", "val/labels/1.png")
    assert where_images_are(tmp_path) == "Name one of its splits: val."
    (tmp_path / "none").mkdir()
    assert where_images_are(tmp_path / "none") == "Give a folder of JPEG or PNG files."
