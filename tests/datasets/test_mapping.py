from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.datasets.colors import COLOR_CODES, ID_CODES, VOID_NAME
from fcn_edge.datasets.mapping import LabelMapping, mapping_of_colors, mapping_of_file, packed
from fcn_edge.errors import DatasetError, UsageError


def written(tmp_path: Path, text: str, name: str = "map.toml") -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


def of_color(mapping: LabelMapping, color: tuple[int, int, int]) -> str:
    """Name of the class that a color becomes."""
    target = mapping.targets[packed(color)]
    return VOID_NAME if target == mapping.info.void else mapping.info.classes[target]


@pytest.mark.parametrize("name", COLOR_CODES)
def test_a_known_palette(name: str) -> None:
    mapping, labels = mapping_of_colors(name), LABEL_SETS[name]
    assert mapping.kind == "colors"
    assert (mapping.info.classes, mapping.info.void) == (labels.classes, labels.void)
    for label, color in zip(labels.classes, labels.palette, strict=True):
        assert of_color(mapping, color) == label
    assert len(mapping.targets) == sum(len(colors) for colors in COLOR_CODES[name].values()), "no color twice"


def test_camvid_has_its_32_original_colors() -> None:
    mapping = mapping_of_colors("camvid")
    assert len(mapping.targets) == 32 + 1, "SegNet's pavement has a color of its own"
    assert of_color(mapping, (0, 0, 192)) == "pavement"
    assert of_color(mapping, (128, 0, 192)) == "road"
    assert of_color(mapping, (192, 128, 192)) == "car"
    assert of_color(mapping, (192, 0, 192)) == "bicyclist"
    assert of_color(mapping, (0, 0, 0)) == VOID_NAME


def test_the_other_sets_have_their_void() -> None:
    assert of_color(mapping_of_colors("cityscapes"), (250, 170, 160)) == VOID_NAME
    assert of_color(mapping_of_colors("voc"), (224, 224, 192)) == VOID_NAME
    assert of_color(mapping_of_colors("voc"), (0, 0, 0)) == "background"


def test_cityscapes_label_ids() -> None:
    mapping = mapping_of_file("cityscapes")
    names = {source: (*mapping.info.classes, *[VOID_NAME] * 300)[target] for source, target in mapping.targets.items()}
    assert sorted(names) == list(range(34))
    assert names[7] == "road"
    assert names[19] == "traffic light"
    assert names[33] == "bicycle"
    assert {names[source] for source in (0, 6, 9, 18, 29, 30)} == {VOID_NAME}


@pytest.mark.parametrize(
    ("name", "void", "ids"),
    [
        ("ade20k", 0, {1: "wall", 8: "bed", 150: "flag"}),
        ("pascal-context-59", 0, {1: "aeroplane", 59: "wood"}),
        ("coco-stuff", 255, {0: "person", 10: "fire hydrant", 12: "stop sign", 91: "banner", 181: "wood"}),
    ],
)
def test_published_label_files_hold_other_ids(name: str, void: int, ids: dict[int, str]) -> None:
    mapping = mapping_of_file(name)
    assert {source: mapping.info.classes[mapping.targets[source]] for source in ids} == ids
    assert mapping.targets[void] == mapping.info.void == 255
    assert len(mapping.targets) == len(mapping.info.classes) + 1
    assert ID_CODES[name][VOID_NAME] == (void,)


def test_a_file_of_merged_ids(tmp_path: Path) -> None:
    mapping = mapping_of_file(
        written(tmp_path, 'name = "mine"\nvoid = 200\n[classes]\nroad = [7, 9]\nperson = 24\nvoid = [0, 65535]\n')
    )
    assert mapping.kind == "ids"
    assert mapping.info.name == "mine"
    assert mapping.info.classes == ("road", "person")
    assert mapping.targets == {7: 0, 9: 0, 24: 1, 0: 200, 65535: 200}


def test_three_ids_are_not_a_color(tmp_path: Path) -> None:
    mapping = mapping_of_file(written(tmp_path, "road = [7, 8, 9]\nsky = 1\n"))
    assert mapping.kind == "ids"
    assert mapping.targets == {7: 0, 8: 0, 9: 0, 1: 1}
    assert mapping.info.name == "map"


def test_a_file_of_merged_colors(tmp_path: Path) -> None:
    text = '[classes]\nroad = ["#804080", [1, 2, 3]]\nsky = "#808080"\nVoid = [[0, 0, 0]]\n[palette]\nsky = [9, 9, 9]\n'
    mapping = mapping_of_file(written(tmp_path, text))
    assert mapping.kind == "colors"
    assert of_color(mapping, (128, 64, 128)) == of_color(mapping, (1, 2, 3)) == "road"
    assert of_color(mapping, (0, 0, 0)) == VOID_NAME
    assert mapping.info.palette == ((128, 64, 128), (9, 9, 9))


def test_json_says_the_same(tmp_path: Path) -> None:
    content = {"classes": {"road": ["#804080"], "sky": [[128, 128, 128]]}, "void": 99}
    mapping = mapping_of_file(written(tmp_path, json.dumps(content), "map.json"))
    assert mapping.info.void == 99
    assert of_color(mapping, (128, 128, 128)) == "sky"


def test_in_a_file_of_colors_three_numbers_are_one(tmp_path: Path) -> None:
    mapping = mapping_of_colors(written(tmp_path, "road = [128, 64, 128]\nsky = [[1, 2, 3], [4, 5, 6]]\n"))
    assert of_color(mapping, (128, 64, 128)) == "road"
    assert of_color(mapping, (4, 5, 6)) == "sky"


def test_a_dataset_toml_is_a_file_of_colors(tmp_path: Path) -> None:
    text = 'name = "mine"\nclasses = ["road", "sky"]\nvoid = 7\npalette = [[1, 2, 3], [4, 5, 6]]\n'
    mapping = mapping_of_colors(written(tmp_path, text, "dataset.toml"))
    assert (mapping.info.name, mapping.info.void) == ("mine", 7)
    assert of_color(mapping, (4, 5, 6)) == "sky"
    assert mapping.info.palette == ((1, 2, 3), (4, 5, 6))


@pytest.mark.parametrize(
    "text",
    [
        "128 64 128\tRoad\n192 0 64\tRoad\n70 130 180 Traffic sky\n0 0 0\t\tVoid\n",  # CamVid
        "# label:color_rgb:parts:actions\nRoad:128,64,128::\nRoad:192,0,64::\nTraffic sky:70,130,180::\nvoid:0,0,0::\n",
        "name,r,g,b\nRoad,128, 64, 128\nRoad,192,0,64\n\nTraffic sky,70,130,180\nVoid,0,0,0\n",
    ],
    ids=["camvid", "cvat", "csv"],
)
def test_lines_of_colors(tmp_path: Path, text: str) -> None:
    mapping = mapping_of_colors(written(tmp_path, text, "colors.txt"))
    assert mapping.info.classes == ("Road", "Traffic sky")
    assert of_color(mapping, (192, 0, 64)) == "Road"
    assert of_color(mapping, (70, 130, 180)) == "Traffic sky"
    assert of_color(mapping, (0, 0, 0)) == VOID_NAME


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("map.toml", "road = ", "not valid TOML"),
        ("map.json", "[1]", "not a JSON object"),
        ("map.json", "{", "not valid JSON"),
        ("map.toml", "classes = 3", "classes is not a table"),
        ("map.toml", "[classes]\nroad = 1\nsky = 2\n[colors]\n", "the key 'colors'"),
        ("map.toml", 'road = 1\nsky = "#000000"', "mixes ids and colors"),
        ("map.toml", "road = 1\nsky = [2, 1]", "gives the source 1 to two classes"),
        ("map.toml", 'road = "#010203"\nsky = [[1, 2, 3]]', r"gives the source RGB \(1, 2, 3\) to two classes"),
        ("map.toml", "road = 1\nsky = []", "'sky' has no sources"),
        ("map.toml", "road = 1\nsky = -1", "-1 is no id"),
        ("map.toml", "road = 1\nsky = 70000", "70000 is no id"),
        ("map.toml", "road = 1\nsky = true", "True is no source"),
        ("map.toml", "road = 1\nsky = 12:30:00", "12:30:00 is no source"),
        ("map.toml", 'road = 1\nsky = "blue"', "'blue' is no source"),
        ("map.toml", "road = 1\nsky = [[1, 2, 300]]", r"\[1, 2, 300\] is no source"),
        ("map.toml", "road = 1", "there is one class, 'road'"),
        ("map.toml", "void = 1\n[classes]\nroad = 1\nsky = 2", "must lie outside"),
        ("map.toml", "[classes]\nroad = 1\nsky = 2\n[palette]\ntree = [1, 2, 3]", "palette is not a table"),
        ("map.toml", '[classes]\nroad = 1\nsky = 2\n[palette]\nsky = "red"', "'red' is no source"),
    ],
)
def test_a_mapping_that_makes_no_sense(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        mapping_of_file(written(tmp_path, text, name))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Road 128 64\n", "Line 1 of .* is 'Road 128 64'"),
        ("128 64 128 Road\nsky\n", "Line 2 of .* is 'sky'"),
        ("128 64 300 Road\n1 2 3 Sky", r"\(128, 64, 300\) is no source"),
        ("128 64 128 Road\n128 64 128 Sky", "to two classes"),
    ],
)
def test_lines_that_make_no_sense(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        mapping_of_colors(written(tmp_path, text, "colors.txt"))


def test_a_file_of_ids_is_no_file_of_colors(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds ids; colors were expected"):
        mapping_of_colors(written(tmp_path, "road = 1\nsky = 2"))


def test_classes_and_colors_must_be_as_many(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="2 classes and 1 colors"):
        mapping_of_colors(written(tmp_path, 'classes = ["a", "b"]\npalette = [[1, 2, 3]]'))


def test_a_file_may_be_a_pipe() -> None:
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as pipe:
        pipe.write("[classes]\nroad = [7]\nsky = [8]\n")
        pipe.close()
        assert mapping_of_file(f"/dev/fd/{read}").info.classes == ("road", "sky")


def test_neither_a_file_nor_a_name() -> None:
    with pytest.raises(UsageError, match="'pascal' is neither a file nor a known label set") as caught:
        mapping_of_colors("pascal")
    assert "camvid, cityscapes, voc" in caught.value.fix
    with pytest.raises(UsageError, match="neither a file"):
        mapping_of_file("camvid")
