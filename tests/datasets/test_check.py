from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.datasets.check import DatasetReport, check_dataset
from fcn_edge.errors import DatasetError
from fcn_edge.io.images import write_png

MakeSplit = Callable[..., Path]


def checked(path: Path) -> DatasetReport:
    return check_dataset(path, lambda done, total: None)


def test_a_whole_data_set_has_no_problems(make_split: MakeSplit) -> None:
    root = make_split("train").parent
    make_split("val", images=2, size=(6, 10))
    moves: list[tuple[int, int]] = []
    report = check_dataset(root, lambda done, total: moves.append((done, total)))
    assert report.problems == []
    assert report.warnings == []
    assert moves == [(done, 5) for done in range(1, 6)]
    train, val = report.splits
    assert (train.name, train.images, dict(train.sizes)) == ("train", 3, {(8, 12): 3})
    assert (val.name, val.images, dict(val.sizes)) == ("val", 2, {(6, 10): 2})


def test_shares_are_of_labeled_pixels(make_split: MakeSplit) -> None:
    split = make_split(images=2, size=(2, 10))
    write_png(split / "labels/frame0.png", np.repeat([[0] * 6 + [1] * 2 + [9] * 2], 2, axis=0).astype(np.uint8))
    write_png(split / "labels/frame1.png", np.repeat([[0] * 8 + [9] * 2], 2, axis=0).astype(np.uint8))
    (report,) = checked(split).splits
    assert report.shares.tolist() == pytest.approx([14 / 16, 2 / 16, 0])
    assert report.void_share == pytest.approx(4 / 20)
    assert report.occurrences.tolist() == [2, 1, 0]


def test_every_problem_is_listed(make_split: MakeSplit) -> None:
    train, val = make_split("train", images=5), make_split("val", images=4)
    (train / "labels/frame0.png").unlink()
    (train / "images/frame1.png").write_bytes(b"no image")
    (train / "labels/frame2.png").write_bytes(b"no labels")
    write_png(train / "labels/frame3.png", np.array([[0] * 10 + [3, 200]] * 8, np.uint8))
    write_png(train / "labels/frame4.png", np.zeros((8, 11), np.uint8))
    shutil.copy(val / "images/frame0.png", train / "images/frame4.png")
    shutil.copy(val / "images/frame3.png", val / "images/frame3.jpg")
    problems = checked(train.parent).problems
    for expected in (
        "frame0.png has no labels",
        "images/frame1.png is not an image",
        "labels/frame2.png is not an image",
        "frame3.png holds 3 (8 pixels), 200 (8 pixels); 0 to 2 or void (9) was expected",
        "frame4.png is 8x12 and its labels are 8x11",
        "are the same image in different splits",
        "frame3.jpg, frame3.png share one stem",
    ):
        assert sum(expected in problem for problem in problems) == 1, expected
    assert len(problems) == 7


def test_a_split_without_labels_or_images(make_split: MakeSplit) -> None:
    train, val = make_split("train"), make_split("val", images=0)
    shutil.rmtree(train / "labels")
    problems = checked(train.parent).problems
    assert f"{train} has no labels/." in problems
    assert f"{val / 'images'} holds no images." in problems
    assert sum("has no labels: frame" in problem for problem in problems) == 3


def test_what_is_unbalanced_is_a_warning(make_split: MakeSplit) -> None:
    train = make_split(images=2, size=(40, 60))
    labels = np.full((40, 60), 9, np.uint8)
    labels[:10, :30] = 0
    labels[10:12, :30] = 2
    write_png(train / "labels/frame0.png", labels)
    write_png(train / "labels/frame1.png", np.full((40, 60), 9, np.uint8))
    write_png(train / "labels/other.png", labels)
    shutil.copy(train / "images/frame0.png", train / "images/frame1.png")
    report = checked(train)
    (problem,) = report.problems
    assert problem.startswith("train: no pixel of sky, which cannot be learned; 92% of the pixels are void (9). ")
    train.rename(train.with_name("val"))
    report = checked(train.with_name("val"))
    assert report.problems == []
    for expected in (
        "val: no pixel of sky.",
        "val: 92% of the pixels are void.",
        "frame1.png has no labeled pixel.",
        "1 label files in",
        "frame1.png are the same image.",
    ):
        assert sum(expected in warning for warning in report.warnings) == 1, expected
    assert len(report.warnings) == 5


def test_a_very_rare_class_is_a_warning(make_split: MakeSplit) -> None:
    train = make_split(images=1, size=(40, 60))
    labels = np.zeros((40, 60), np.uint8)
    labels[0, :2] = 1, 2
    write_png(train / "labels/frame0.png", labels)
    assert "train: car is very rare, 0.042% of the labeled pixels in 1 of 1 images." in checked(train).warnings


def test_splits_with_other_classes(make_split: MakeSplit) -> None:
    train, val = make_split("train"), make_split("val")
    (val / "dataset.toml").write_text('name = "tiny"\nclasses = ["sky", "road", "car"]\nvoid = 9\n')
    assert "val and train have different classes; one dataset.toml is enough." in checked(train.parent).problems


def test_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no splits"):
        checked(tmp_path)
    with pytest.raises(DatasetError, match="no data directory"):
        checked(tmp_path / "absent")


def test_without_classes_nothing_can_be_checked(make_split: MakeSplit) -> None:
    split = make_split()
    (split.parent / "dataset.toml").unlink()
    with pytest.raises(DatasetError, match=r"no dataset\.toml"):
        checked(split)


def test_the_report_as_json(make_split: MakeSplit) -> None:
    report = checked(make_split().parent).to_json()
    assert report["classes"] == ["road", "sky", "car"]
    train = report["splits"]["train"]
    assert train["images"] == 3
    assert train["sizes"] == {"8x12": 3}
    assert sum(train["shares"].values()) == pytest.approx(1)
    assert set(train["shares"]) == {"road", "sky", "car"}
    assert report["problems"] == report["warnings"] == []


def test_many_equal_images_are_one_short_line(make_split: MakeSplit) -> None:
    train = make_split(images=30)
    content = (train / "images/frame0.png").read_bytes()
    for path in (train / "images").iterdir():
        path.write_bytes(content)
    (warning,) = checked(train).warnings
    assert "frame0.png" in warning
    assert warning.endswith("and 22 more are the same image.")


def test_hidden_directories_are_no_splits(make_split: MakeSplit) -> None:
    train = make_split("train")
    make_split(".train.4711.tmp")
    assert [split.name for split in checked(train.parent).splits] == ["train"]


def test_a_split_of_nothing_but_void_is_a_problem(make_split: MakeSplit) -> None:
    val = make_split("val", images=1)
    write_png(val / "labels/frame0.png", np.full((4, 5), 9, np.uint8))
    void = "val: every pixel is void (9), so that nothing can be scored on it. Label some, or remove the split."
    assert void in checked(val.parent).problems


def test_masks_of_0_and_255_lack_a_class_in_train(make_split: MakeSplit) -> None:
    train = make_split(images=1, size=(10, 10))
    (train.parent / "dataset.toml").write_text('name = "cracks"\nclasses = ["background", "crack"]\n')
    mask = np.zeros((10, 10), np.uint8)
    mask[:3] = 255
    write_png(train / "labels/frame0.png", mask)
    (problem,) = checked(train).problems
    assert problem.startswith("train: no pixel of crack, which cannot be learned; 30% of the pixels are void (255).")
    assert "import the labels anew with --map" in problem
