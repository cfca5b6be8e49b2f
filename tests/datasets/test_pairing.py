from __future__ import annotations

import os
from pathlib import Path

import pytest

from fcn_edge.datasets.pairing import paired_files
from fcn_edge.errors import DatasetError


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_files_of_one_stem_belong_together(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "b.jpg", "a.jpg", "notes.txt", "._a.jpg")
    labels = touched(tmp_path / "l", "a.png", "b.png", "unused.png")
    pairs = paired_files(images, labels)
    assert [(pair.name, pair.image.name, pair.labels.name) for pair in pairs] == [
        ("a", "a.jpg", "a.png"),
        ("b", "b.jpg", "b.png"),
    ]


def test_endings_and_sub_directories(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "bonn/bonn_0_image.png", "ulm/ulm_0_image.png")
    labels = touched(
        tmp_path / "l", "bonn/bonn_0_ids.png", "bonn/bonn_0_colors.png", "ulm/ulm_0_ids.png", "ulm/ulm_0_colors.png"
    )
    pairs = paired_files(images, labels, image_ending="_image", label_ending="_ids")
    assert [(pair.name, pair.labels.name) for pair in pairs] == [
        ("bonn_0", "bonn_0_ids.png"),
        ("ulm_0", "ulm_0_ids.png"),
    ]


def test_equal_stems_in_sub_directories_stay_apart(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "day/0.png", "night/0.png")
    labels = touched(tmp_path / "l", "day/0.png", "night/0.png")
    pairs = paired_files(images, labels)
    assert [(pair.name, pair.labels.parent.name) for pair in pairs] == [("day-0", "day"), ("night-0", "night")]


def test_an_image_without_labels(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a.jpg", "b.jpg")
    labels = touched(tmp_path / "l", "a.png", "b_L.png")
    with pytest.raises(DatasetError, match=r"1 of 2 images .* the first is b\.jpg") as caught:
        paired_files(images, labels)
    assert "--label-ending" in caught.value.fix


def test_a_list_may_come_through_a_pipe_that_is_written(tmp_path: Path) -> None:
    images, labels = touched(tmp_path / "i", "a.jpg", "b.jpg"), touched(tmp_path / "l", "a.png", "b.png")
    reading, writing = os.pipe()
    os.write(writing, b"b\n")
    os.close(writing)
    assert [pair.name for pair in paired_files(images, labels, wanted=Path(f"/dev/fd/{reading}"))] == ["b"]
    os.close(reading)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="pipe names no image"):
        paired_files(images, labels, wanted=tmp_path / "pipe")


def test_a_list_takes_only_some(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    labels = touched(tmp_path / "l", "a.png", "b.png", "d.png")
    (tmp_path / "list.txt").write_text("d\n\nimages/a.jpg labels/a.png\n")
    assert [pair.name for pair in paired_files(images, labels, wanted=tmp_path / "list.txt")] == ["a", "d"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [("a\ne\n", "names e, which is not in"), ("\n", "names no image"), (b"\xff\xfe\xfa", "list of names")],
)
def test_a_list_that_does_not_fit(tmp_path: Path, content: str | bytes, problem: str) -> None:
    images, labels = touched(tmp_path / "i", "a.jpg"), touched(tmp_path / "l", "a.png")
    (tmp_path / "list.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=problem):
        paired_files(images, labels, wanted=tmp_path / "list.txt")


def test_two_files_of_one_stem(tmp_path: Path) -> None:
    images, labels = touched(tmp_path / "i", "a.jpg", "a.png"), touched(tmp_path / "l", "a.png")
    with pytest.raises(DatasetError, match="share one stem"):
        paired_files(images, labels)


def test_nothing_there(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no directory"):
        paired_files(images, tmp_path / "absent")
    with pytest.raises(DatasetError, match="holds no images"):
        paired_files(images, tmp_path / "empty")
    with pytest.raises(DatasetError, match="names end in '_x'"):
        paired_files(images, images, image_ending="_x")
