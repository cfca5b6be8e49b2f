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
    pairs = paired_files(images, labels).pairs
    assert [(pair.name, pair.image.name, pair.labels.name) for pair in pairs] == [
        ("a", "a.jpg", "a.png"),
        ("b", "b.jpg", "b.png"),
    ]


def test_endings_and_sub_directories(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "bonn/bonn_0_image.png", "ulm/ulm_0_image.png")
    labels = touched(
        tmp_path / "l", "bonn/bonn_0_ids.png", "bonn/bonn_0_colors.png", "ulm/ulm_0_ids.png", "ulm/ulm_0_colors.png"
    )
    pairs = paired_files(images, labels, image_ending="_image", label_ending="_ids").pairs
    assert [(pair.name, pair.labels.name) for pair in pairs] == [
        ("bonn_0", "bonn_0_ids.png"),
        ("ulm_0", "ulm_0_ids.png"),
    ]


def test_equal_stems_in_sub_directories_stay_apart(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "day/0.png", "night/0.png")
    labels = touched(tmp_path / "l", "day/0.png", "night/0.png")
    pairs = paired_files(images, labels).pairs
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
    assert [pair.name for pair in paired_files(images, labels, wanted=Path(f"/dev/fd/{reading}")).pairs] == ["b"]
    os.close(reading)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="pipe names no image"):
        paired_files(images, labels, wanted=tmp_path / "pipe")


def test_a_list_takes_only_some(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    labels = touched(tmp_path / "l", "a.png", "b.png", "d.png")
    (tmp_path / "list.txt").write_text("d\n\nimages/a.jpg labels/a.png\n")
    assert [pair.name for pair in paired_files(images, labels, wanted=tmp_path / "list.txt").pairs] == ["a", "d"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [("a\ne\n", "names e, which is not in"), ("\n", "names no image"), (b"\xff\xfe\xfa", "not text in UTF-8")],
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
    with pytest.raises(DatasetError, match="names end in '_x'") as caught:
        paired_files(images, images, image_ending="_x")
    assert caught.value.fix == "Check the ending."


def test_a_file_that_is_called_as_the_ending_alone_belongs_to_no_image(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a.jpg", "day/a.jpg")
    labels = touched(tmp_path / "l", "a_L.png", "day/a_L.png", "_L.png", "day/_L.png")
    assert [pair.name for pair in paired_files(images, labels, label_ending="_L").pairs] == ["a", "day-a"]
    with pytest.raises(DatasetError, match="holds no files whose names end in '_L'"):
        paired_files(images, touched(tmp_path / "m", "_L.png"), label_ending="_L")


def test_labels_that_no_image_wants_are_told(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a.jpg", "b.jpg")
    labels = touched(tmp_path / "l", "a.png", "b.png", "c.png", "day/d.png")
    (tmp_path / "list.txt").write_text("a\n")
    pairing = paired_files(images, labels, wanted=tmp_path / "list.txt")
    assert len(pairing.pairs) == 1
    assert pairing.unused == (labels / "c.png", labels / "day/d.png"), "b was left out by the list"


def test_names_of_sub_directories_stay_apart_whatever_hyphens_they_have(tmp_path: Path) -> None:
    names = "a/b-c", "a-b/c", "z/c"
    images = touched(tmp_path / "i", *(f"{name}.jpg" for name in names))
    labels = touched(tmp_path / "l", *(f"{name}.png" for name in names))
    pairs = paired_files(images, labels).pairs
    assert {(pair.name, str(pair.labels.relative_to(labels))) for pair in pairs} == {
        ("a--b-c", "a/b-c.png"), ("a-b--c", "a-b/c.png"), ("z--c", "z/c.png"),
    }  # fmt: skip
    for name in ("a-/c", "a/-c", "a--/c", "a/--c", "a/-/c"):
        touched(images, f"{name}.jpg")
        touched(labels, f"{name}.png")
    pairs = paired_files(images, labels).pairs
    assert len({pair.name for pair in pairs}) == len(pairs) == 8, "a number where no hyphens can tell"


def test_linked_directories_are_followed_and_circles_end(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "own/a.jpg")
    store = touched(tmp_path / "store", "deep/b.jpg", ".thumbnails/c.jpg")
    labels = touched(tmp_path / "l", "own/a.png", "linked/deep/b.png")
    (images / "linked").symlink_to(store)
    (store / "deep" / "back").symlink_to(images)
    (images / "nowhere").symlink_to(tmp_path / "absent")
    (images / "self").symlink_to(images / "self")
    assert [pair.name for pair in paired_files(images, labels).pairs] == ["b", "a"]


def test_a_list_tells_equal_names_of_sub_directories_apart(tmp_path: Path) -> None:
    images = touched(tmp_path / "i", "a/0.jpg", "b/0.jpg", "c/1.jpg")
    labels = touched(tmp_path / "l", "a/0.png", "b/0.png", "c/1.png")
    listed = tmp_path / "list.txt"
    listed.write_text("b/0.jpg\n")
    assert [pair.image for pair in paired_files(images, labels, wanted=listed).pairs] == [images / "b/0.jpg"]
    listed.write_text("/of/others/a/0\n/of/others/1\n")
    taken = [pair.image for pair in paired_files(images, labels, wanted=listed).pairs]
    assert taken == [images / "a/0.jpg", images / "c/1.jpg"]
    touched(images, "2.jpg", "d/2.jpg")
    touched(labels, "2.png", "d/2.png")
    listed.write_text("2\n")
    assert [pair.image for pair in paired_files(images, labels, wanted=listed).pairs] == [images / "2.jpg"]
    listed.write_text("d/2\n")
    assert [pair.image for pair in paired_files(images, labels, wanted=listed).pairs] == [images / "d/2.jpg"]
    for unclear in ("0.jpg", "d/0.jpg"):
        listed.write_text(unclear)
        with pytest.raises(DatasetError, match="has several: a/0, b/0"):
            paired_files(images, labels, wanted=listed)


def test_an_image_without_labels_is_named_with_its_sub_directory(tmp_path: Path) -> None:
    images, labels = touched(tmp_path / "i", "a/0.jpg", "b/0.jpg"), touched(tmp_path / "l", "a/0.png")
    with pytest.raises(DatasetError, match=r"the first is b/0\.jpg"):
        paired_files(images, labels)
