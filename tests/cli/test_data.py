from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fcn_edge.datasets import Split
from fcn_edge.io.images import write_png

Run = Callable[..., Any]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two images with CamVid's original colors in ``colors/*_L.png`` and with ids in ``ids/``."""
    root = tmp_path / "raw"
    for name in ("images", "colors", "ids"):
        (root / name).mkdir(parents=True)
    colors = np.array([[128, 128, 128], [0, 0, 192], [192, 128, 192], [0, 0, 0]], np.uint8)  # RGB
    for index in range(2):
        image = np.random.default_rng(index).integers(0, 256, (4, 6, 3), np.uint8)
        cv2.imwrite(str(root / f"images/{index}.png"), image)
        mask = np.repeat(colors[:, None, ::-1], 6, axis=1)
        cv2.imwrite(str(root / f"colors/{index}_L.png"), mask)
        write_png(root / f"ids/{index}.png", np.repeat([[7], [8], [24], [0]], 6, axis=1).astype(np.uint8))
    return root


def imported(fcn_edge: Run, raw: Path, out: Path, *options: object) -> Any:
    arguments = (raw / "images", raw / "colors", "-o", out, "--colors", "camvid", "--label-ending", "_L")
    return fcn_edge("data", "import", *arguments, *options)


def test_import_then_check(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    outcome = imported(fcn_edge, raw, tmp_path / "out", "--split", "val")
    assert outcome.code == 0
    assert f"2 images in {tmp_path / 'out' / 'val'}" in outcome.out
    split = Split(tmp_path / "out/val")
    classes = split.info.classes
    assert [classes[value] if value < 11 else "void" for value in split[0].labels()[:, 0]] == [
        "sky",
        "pavement",
        "car",
        "void",
    ]
    outcome = fcn_edge("data", "check", tmp_path / "out")
    assert outcome.code == 0
    assert "The data set is whole." in outcome.out
    assert "val: 2 images (2 of 4x6)" in outcome.out
    lines = [line.split() for line in outcome.out.splitlines()]
    assert ["sky", "33.33%"] in lines
    assert ["road", "-"] in lines
    assert "Warning: val: no pixel of building" in outcome.out


def test_import_as_json(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    outcome = imported(fcn_edge, raw, tmp_path / "out", "--split", "val", "--link", "--json")
    assert outcome.code == 0
    assert outcome.json["path"] == str(tmp_path / "out/val")
    assert outcome.json["images"] == 2
    assert outcome.json["shares"]["sky"] == pytest.approx(1 / 3)
    assert outcome.json["voided"] == {}
    assert outcome.json["unused_labels"] == 0


def test_import_of_two_splits_from_one_folder(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    outcome = imported(fcn_edge, raw, tmp_path / "out", "--val", "0.5")
    assert outcome.code == 0
    assert f"1 image in {tmp_path / 'out/train'}, 1 image in {tmp_path / 'out/val'}." in outcome.out
    assert ["share", "of", "labeled", "pixels", "train", "val"] in [line.split() for line in outcome.out.splitlines()]
    splits = {name: Split(tmp_path / "out" / name) for name in ("train", "val")}
    assert [splits[name][0].name for name in splits] == ["0", "1"]
    again = imported(fcn_edge, raw, tmp_path / "out", "--val", "0.5", "--json")
    assert again.code == 2
    assert "is there already" in again.json["error"]
    (tmp_path / "new/val").mkdir(parents=True)
    assert imported(fcn_edge, raw, tmp_path / "new", "--val", "0.5").code == 2
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["val"]
    told = imported(fcn_edge, raw, tmp_path / "third", "--val", "0.5", "--json").json
    assert (told["path"], told["images"]) == (str(tmp_path / "third/train"), 1)
    assert (told["val"]["path"], told["val"]["images"]) == (str(tmp_path / "third/val"), 1)
    assert imported(fcn_edge, raw, tmp_path / "fourth", "--json").json["val"] is None


def test_neither_split_is_left_where_one_cannot_be_imported(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    (raw / "colors/1_L.png").write_bytes(b"no image")
    outcome = imported(fcn_edge, raw, tmp_path / "out", "--val", "0.5")
    assert outcome.code == 3
    assert "1_L.png" in outcome.err
    assert not (tmp_path / "out").exists()
    for name in ("", ".."):
        outcome = imported(fcn_edge, raw, tmp_path, "--val", "0.5", "--split", name)
        assert outcome.code == 2
        assert "is no name of a split" in outcome.err
    assert "nan is no share" in imported(fcn_edge, raw, tmp_path / "out", "--val", "nan").err
    outcome = imported(fcn_edge, raw, tmp_path / "out", "--val", "0.5", "--split", "val")
    assert outcome.code == 2
    assert "cannot be held back from itself" in outcome.err


def test_labels_without_an_image_are_counted(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    for index in (5, 6):
        (raw / f"colors/{index}_L.png").write_bytes((raw / "colors/0_L.png").read_bytes())
    outcome = imported(fcn_edge, raw, tmp_path / "out")
    assert outcome.code == 0
    assert f"Warning: 2 label files have no image; the first is {raw / 'colors/5_L.png'}." in outcome.err


def test_import_of_ids_by_a_mapping_file(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text(json.dumps({"flat": [7, 8], "person": [24]}))
    arguments = ("data", "import", raw / "images", raw / "ids", "-o", tmp_path / "out", "--map", tmp_path / "map.json")
    outcome = fcn_edge(*arguments)
    assert outcome.code == 3
    assert "0.png holds the id 0 (6 pixels), of which the mapping says nothing" in outcome.err
    assert not (tmp_path / "out").exists()
    outcome = fcn_edge(*arguments, "--unmapped", "void")
    assert outcome.code == 0
    assert "Warning: the id 0 is in no class: 12 pixels became void." in outcome.err
    assert Split(tmp_path / "out/train")[0].labels()[:, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "was not said, or said twice"),
        (["--colors", "camvid", "--map", "cityscapes"], "was not said, or said twice"),
        (["--map", "cityscapes", "--tolerance", "3"], "no meaning for ids"),
        (["--colors", "pascal"], "neither a file nor a known label set"),
        (["--colors", "camvid", "--split", "a/b", "--label-ending", "_L"], "no name of a split"),
        (["--colors", "camvid", "--split", ".train", "--label-ending", "_L"], "no name of a split"),
    ],
)
def test_options_that_make_no_sense(fcn_edge: Run, raw: Path, tmp_path: Path, options: list[str], says: str) -> None:
    outcome = fcn_edge("data", "import", raw / "images", raw / "colors", "-o", tmp_path / "out", *options)
    assert outcome.code == 2
    assert says in outcome.err
    assert not (tmp_path / "out").exists()


def test_check_lists_every_problem_and_exits_with_3(fcn_edge: Run, raw: Path, tmp_path: Path) -> None:
    imported(fcn_edge, raw, tmp_path / "out", "--split", "val")
    (tmp_path / "out/val/labels/0.png").unlink()
    (tmp_path / "out/val/images/1.png").write_bytes(b"no image")
    outcome = fcn_edge("data", "check", tmp_path / "out/val")
    assert outcome.code == 3
    problems = [line for line in outcome.out.splitlines() if line.startswith("Problem: ")]
    assert len(problems) == 2
    assert "has 2 problems; the first:" in outcome.err
    assert "The data set is whole" not in outcome.out
    outcome = fcn_edge("data", "check", tmp_path / "out/val", "--json")
    assert outcome.code == outcome.json["exit_code"] == 3
    assert len(outcome.json["problems"]) == 2
    assert outcome.json["splits"]["val"]["images"] == 2
    assert {"error", "fix", "warnings", "name", "classes"} <= set(outcome.json)


def test_check_of_nothing(fcn_edge: Run, tmp_path: Path) -> None:
    assert fcn_edge("data", "check", tmp_path / "absent").code == 3
    assert fcn_edge("data", "check", tmp_path, "--json").json["exit_code"] == 3


def test_check_of_camvid(fcn_edge: Run, camvid: Path) -> None:
    result = fcn_edge("data", "check", camvid / "val", "--json").json
    assert result["problems"] == []
    assert result["splits"]["val"]["images"] == 101
    assert sum(result["splits"]["val"]["shares"].values()) == pytest.approx(1)
