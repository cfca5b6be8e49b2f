from __future__ import annotations

import json
from pathlib import Path

import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS, generated_palette
from fcn_edge.datasets.class_names import labels_from_text
from fcn_edge.errors import DatasetError, UsageError


@pytest.mark.parametrize("name", LABEL_SETS)
def test_known_names(name: str) -> None:
    assert labels_from_text(name) is LABEL_SETS[name]


def test_dataset_toml(tmp_path: Path) -> None:
    path = tmp_path / "dataset.toml"
    path.write_text('name = "yard"\nclasses = ["ground", "crate"]\nvoid = 7\npalette = [[1, 2, 3], [4, 5, 6]]\n')
    labels = labels_from_text(str(path))
    assert (labels.name, labels.classes, labels.void) == ("yard", ("ground", "crate"), 7)
    assert labels.palette == ((1, 2, 3), (4, 5, 6))


def test_json_without_palette_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_text(json.dumps({"name": "yard", "classes": ["ground", "crate", "Straße"]}))
    labels = labels_from_text(str(path))
    assert labels.classes[2] == "Straße"
    assert labels.palette == generated_palette(3)
    assert labels.void == 255


def test_text_has_a_class_a_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfground\r\n\r\nsteel crate \r\n")
    labels = labels_from_text(str(path))
    assert (labels.name, labels.classes) == ("labels", ("ground", "steel crate"))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.json", b'{"name": "a"', "cannot be read"),
        ("a.json", b"[1, 2]", "not valid"),
        ("a.json", b'{"name": "a", "classes": ["x"]}', "classes: "),
        ("a.json", b'{"name": "a", "classes": ["x", "x"]}', "must differ"),
        ("a.json", b"[" * 100_000, "cannot be read"),
        ("a.toml", b"name = ", "not valid TOML"),
        ("a.txt", b"", "classes: "),
        ("a.txt", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        labels_from_text(str(tmp_path / file))


def test_neither_name_nor_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a label set nor a file"):
        labels_from_text("kitti")
    with pytest.raises(UsageError, match="neither a label set nor a file"):
        labels_from_text(str(tmp_path))
