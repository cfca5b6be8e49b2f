from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.datasets import Split, splits_of
from fcn_edge.datasets.check import check_dataset
from fcn_edge.datasets.convert import ImportResult, LabelConverter, import_dataset
from fcn_edge.datasets.mapping import mapping_of_colors, mapping_of_file
from fcn_edge.datasets.pairing import paired_files
from fcn_edge.errors import DatasetError, UsageError
from fcn_edge.io.images import write_png

ROAD, SKY, CAR = (128, 64, 128), (70, 130, 180), (0, 0, 142)
MAP = "road = [7, 8]\nsky = 23\nvoid = 0\n"


def color_mask(path: Path, colors: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Write a mask of one row a color (RGB); returns it."""
    mask = np.repeat(np.array(colors, np.uint8)[:, None], 6, axis=1)
    cv2.imwrite(str(path), mask[:, :, ::-1])
    return mask


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two images with color masks whose stems end in ``_L``, and with ids."""
    root = tmp_path / "raw"
    for name in ("images", "colors", "ids"):
        (root / name).mkdir(parents=True)
    for index in range(2):
        image = np.random.default_rng(index).integers(0, 256, (4, 6, 3), np.uint8)
        cv2.imwrite(str(root / f"images/frame{index}.jpg"), image)
        color_mask(root / f"colors/frame{index}_L.png", [SKY, SKY, CAR, ROAD])
        write_png(root / f"ids/frame{index}.png", np.repeat([[23], [8], [7], [0]], 6, axis=1).astype(np.uint8))
    return root


def imported(
    raw: Path, output: Path, kind: str = "colors", *, mapping: Any = None, link: bool = False, **options: Any
) -> ImportResult:
    if mapping is None:
        mapping = mapping_of_colors("cityscapes")
    split = options.pop("split", "train")
    pairs = paired_files(raw / "images", raw / kind, label_ending="_L" if kind == "colors" else "").pairs
    converter = LabelConverter(mapping, **options)
    return import_dataset(pairs, converter, output, split=split, link=link, progress=lambda done, total: None)


def test_color_masks_become_a_split(raw: Path, tmp_path: Path) -> None:
    result = imported(raw, tmp_path / "out")
    split = Split(result.split)
    assert result.split == tmp_path / "out" / "train"
    assert [sample.name for sample in split] == ["frame0", "frame1"]
    classes = split.info.classes
    image, labels = split[0].pair()
    assert [classes[row[0]] for row in labels] == ["sky", "sky", "car", "road"]
    assert (image == cv2.imread(str(raw / "images/frame0.jpg"))).all()
    assert split[0].image_path.read_bytes() == (raw / "images/frame0.jpg").read_bytes(), "images are copied as they are"
    assert result.shares["sky"] == 0.5
    assert result.images == 2
    (problem,) = check_dataset(tmp_path / "out", lambda done, total: None).problems
    assert problem.startswith("train: no pixel of sidewalk, building, ")


def test_ids_are_renumbered_and_merged(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    result = imported(raw, tmp_path / "out", "ids", mapping=mapping_of_file(str(tmp_path / "map.toml")))
    assert Split(result.split)[0].labels()[:, 0].tolist() == [1, 0, 0, 255]


def test_an_unknown_color_is_named_with_its_file(raw: Path, tmp_path: Path) -> None:
    color_mask(raw / "colors/frame1_L.png", [SKY, (1, 2, 3), (1, 2, 3), (4, 5, 6)])
    problem = r"frame1_L\.png holds RGB \(1, 2, 3\) \(12 pixels\), RGB \(4, 5, 6\) \(6 pixels\)"
    with pytest.raises(DatasetError, match=problem) as caught:
        imported(raw, tmp_path / "out")
    assert "--tolerance" in caught.value.fix
    assert not (tmp_path / "out").exists(), "nothing half-written stays"


def test_an_unknown_id_is_named(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("road = 7\nsky = 23\n")
    with pytest.raises(DatasetError, match=r"holds the id 0 \(6 pixels\), the id 8 \(6 pixels\)") as caught:
        imported(raw, tmp_path / "out", "ids", mapping=mapping_of_file(str(tmp_path / "map.toml")))
    assert "--tolerance" not in caught.value.fix


def test_unmapped_pixels_become_void_when_asked(raw: Path, tmp_path: Path) -> None:
    color_mask(raw / "colors/frame1_L.png", [SKY, (1, 2, 3), CAR, ROAD])
    result = imported(raw, tmp_path / "out", unmapped="void")
    assert result.voided == {"RGB (1, 2, 3)": 6}
    assert Split(result.split)[1].labels()[1].tolist() == [255] * 6


def test_the_nearest_color_only_within_the_tolerance(raw: Path, tmp_path: Path) -> None:
    near = (SKY[0] + 5, SKY[1] - 5, SKY[2])
    color_mask(raw / "colors/frame1_L.png", [near, SKY, CAR, ROAD])
    with pytest.raises(DatasetError, match=r"RGB \(75, 125, 180\)"):
        imported(raw, tmp_path / "out", tolerance=4)
    result = imported(raw, tmp_path / "out", tolerance=5)
    labels = Split(result.split)[1].labels()
    assert (labels[0] == labels[1]).all()
    assert not result.voided


def test_the_nearest_of_two_colors_wins(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("a = [[0, 0, 0]]\nb = [[10, 0, 0]]\n")
    converter = LabelConverter(mapping_of_file(str(tmp_path / "map.toml")), tolerance=20)
    color_mask(tmp_path / "mask.png", [(4, 0, 0), (6, 0, 0), (12, 9, 0)])
    assert converter.labels(tmp_path / "mask.png")[:, 0].tolist() == [0, 1, 1]


def test_images_may_be_linked(raw: Path, tmp_path: Path) -> None:
    result = imported(raw, tmp_path / "out", link=True)
    assert (result.split / "images/frame0.jpg").samefile(raw / "images/frame0.jpg")


def test_a_link_to_another_file_system_is_one_sentence(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UsageError, match="cannot be hard-linked") as caught:
        imported(raw, tmp_path / "out", link=True)
    assert "--link" in caught.value.fix
    assert not (tmp_path / "out").exists()


def test_splits_are_added_to_a_root(raw: Path, tmp_path: Path) -> None:
    imported(raw, tmp_path / "deep/out", split="train")
    imported(raw, tmp_path / "deep/out", split="val")
    assert sorted(path.name for path in (tmp_path / "deep/out").iterdir()) == ["dataset.toml", "train", "val"]


def test_a_split_is_not_overwritten(raw: Path, tmp_path: Path) -> None:
    imported(raw, tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        imported(raw, tmp_path / "out")
    assert len(Split(tmp_path / "out/train")) == 2


def test_of_two_imports_at_once_one_is_told_that_the_other_was_first(raw: Path, tmp_path: Path) -> None:
    def meanwhile(done: int, total: int) -> None:
        if done == total:
            imported(raw, tmp_path / "out")

    pairs = paired_files(raw / "images", raw / "colors", label_ending="_L").pairs
    converter = LabelConverter(mapping_of_colors("cityscapes"))
    with pytest.raises(UsageError, match="another import made it meanwhile"):
        import_dataset(pairs, converter, tmp_path / "out", split="train", link=False, progress=meanwhile)
    assert len(Split(tmp_path / "out" / "train")) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dataset.toml", "train"]


def test_what_an_import_has_not_finished_is_no_split(raw: Path, tmp_path: Path) -> None:
    result = imported(raw, tmp_path / "out")
    shutil.copytree(result.split, tmp_path / "out" / ".train.4711.tmp")
    assert [split.name for split in check_dataset(tmp_path / "out", lambda done, total: None).splits] == ["train"]
    assert list(splits_of(tmp_path / "out")) == ["train"]


def test_files_of_equal_names_stay_apart(tmp_path: Path) -> None:
    """``a/b-c``, ``a-b/c`` and ``z/c``: two of them would be ``a-b-c``."""
    for index, stem in enumerate(("a/b-c", "a-b/c", "z/c")):
        for kind in ("images", "labels"):
            path = tmp_path / "raw" / kind / f"{stem}.png"
            path.parent.mkdir(parents=True)
            write_png(path, np.full((4, 6), index, np.uint8))
    pairs = paired_files(tmp_path / "raw/images", tmp_path / "raw/labels").pairs
    (tmp_path / "map.toml").write_text("one = 0\ntwo = 1\nthree = 2\n")
    converter = LabelConverter(mapping_of_file(str(tmp_path / "map.toml")))
    result = import_dataset(pairs, converter, tmp_path / "out", split="train", link=False, progress=lambda *_: None)
    assert result.images == 3
    found = {sample.name: (int(sample.image()[0, 0, 0]), int(sample.labels()[0, 0])) for sample in Split(result.split)}
    assert found == {"a--b-c": (0, 0), "a-b--c": (1, 1), "z--c": (2, 2)}


def test_other_classes_do_not_go_into_one_root(raw: Path, tmp_path: Path) -> None:
    imported(raw, tmp_path / "out")
    with pytest.raises(DatasetError, match="other classes or another void"):
        imported(raw, tmp_path / "out", mapping=mapping_of_colors("camvid"), split="val", unmapped="void")
    assert not (tmp_path / "out/val").exists()


def test_a_failure_leaves_the_root_as_it_was(raw: Path, tmp_path: Path) -> None:
    imported(raw, tmp_path / "out")
    (raw / "images/frame1.jpg").write_bytes(b"no image")
    with pytest.raises(DatasetError, match="not an image"):
        imported(raw, tmp_path / "out", split="val")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["dataset.toml", "train"]


def test_sizes_must_be_alike(raw: Path, tmp_path: Path) -> None:
    color_mask(raw / "colors/frame1_L.png", [SKY, CAR])
    with pytest.raises(DatasetError, match=r"frame1\.jpg is 4x6 and its labels are 2x6"):
        imported(raw, tmp_path / "out")


@pytest.mark.parametrize("split", ["", ".", "..", "a/b"])
def test_a_split_needs_a_name(raw: Path, tmp_path: Path, split: str) -> None:
    with pytest.raises(UsageError, match="no name of a split"):
        imported(raw, tmp_path / "out", split=split)


def test_an_output_below_a_file_is_one_sentence(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="could not be written"):
        imported(raw, tmp_path / "file" / "out")


def smoothed(path: Path, low: int, high: int) -> NDArray[np.bool_]:
    """Write a disk of one id on another, smoothed at its edge as lossy copies are; returns where the disk is."""
    rows, columns = np.mgrid[:64, :64]
    disk = (rows - 32) ** 2 + (columns - 30) ** 2 < 400
    blurred = cv2.GaussianBlur(np.where(disk, high, low).astype(np.float32), (7, 7), 1.0)
    write_png(path, blurred.round().astype(np.uint8))
    return np.asarray(blurred > (low + high) / 2)


def test_ids_of_a_lossy_copy_are_not_to_be_mapped(tmp_path: Path) -> None:
    smoothed(tmp_path / "mask.png", 0, 40)
    (tmp_path / "map.toml").write_text("road = 0\nsky = 40\ncar = 200\n")
    with pytest.raises(DatasetError, match=r"mask\.png holds the id") as caught:
        LabelConverter(mapping_of_file(str(tmp_path / "map.toml"))).labels(tmp_path / "mask.png")
    assert "neither a longer mapping nor --unmapped void makes those right" in caught.value.fix
    assert "--tolerance" not in caught.value.fix
    smoothed(tmp_path / "mask.png", 0, 255)
    (tmp_path / "map.toml").write_text("background = 0\ncrack = 1\n")
    with pytest.raises(DatasetError, match=r"and \d+ more, of which the mapping says nothing") as caught:
        LabelConverter(mapping_of_file(str(tmp_path / "map.toml"))).labels(tmp_path / "mask.png")
    assert "--tolerance" not in caught.value.fix, "no tolerance makes ids near 0 and 1 of these"


def test_the_fix_for_a_lossy_mask_of_two_values_restores_it(tmp_path: Path) -> None:
    disk = smoothed(tmp_path / "mask.png", 0, 255)
    (tmp_path / "map.toml").write_text("background = 0\ncrack = 255\n")
    with pytest.raises(DatasetError) as caught:
        LabelConverter(mapping_of_file(str(tmp_path / "map.toml"))).labels(tmp_path / "mask.png")
    assert '"#000000" and "#ffffff", and --tolerance 127' in caught.value.fix
    (tmp_path / "colors.toml").write_text('background = "#000000"\ncrack = "#ffffff"\n')
    converter = LabelConverter(mapping_of_colors(str(tmp_path / "colors.toml")), tolerance=127)
    assert (converter.labels(tmp_path / "mask.png") == disk).all()
