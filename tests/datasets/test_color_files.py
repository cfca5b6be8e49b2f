from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fcn_edge.datasets.color_files import classes_of_lines, classes_of_list
from fcn_edge.datasets.mapping import mapping_of_colors, packed
from fcn_edge.errors import DatasetError


@pytest.mark.parametrize(
    ("line", "name", "color"),
    [
        ("road:128,64,128::", "road", (128, 64, 128)),
        ("2-wheeler:70,70,70::", "2-wheeler", (70, 70, 70)),
        ("2 wheels, or 3: 70, 70, 70:part:act,ion", "2 wheels, or 3", (70, 70, 70)),
        ("sky: blue:1,2,3::", "sky: blue", (1, 2, 3)),
        ("128 64 128\tRoad (paved)", "Road (paved)", (128, 64, 128)),
        ("128,64,128,255,Road", "255,Road", (128, 64, 128)),
        ("128 64 128 4", "4", (128, 64, 128)),
        ("Road,128, 64, 128", "Road", (128, 64, 128)),
        ("lane 2,70,70,70", "lane 2", (70, 70, 70)),
        ("2-wheeler,70,70,70,255", "2-wheeler", (70, 70, 70)),
        ('"road, paved",1,2,3', "road, paved", (1, 2, 3)),
        ("Road 128,64,128 and more", "Road", (128, 64, 128)),
        ("road,#80C0a0", "road", "#80C0a0"),
        ("2nd road : #80C0a0", "2nd road", "#80C0a0"),
        ("road #80C0a0", "road", "#80C0a0"),
        ("#80C0a0,road", "road", "#80C0a0"),
        ("#80C0a0 the road", "the road", "#80C0a0"),
    ],
)
def test_a_line_of_each_form(tmp_path: Path, line: str, name: str, color: tuple[int, int, int] | str) -> None:
    path = tmp_path / "colors.txt"
    path.write_text(f"name and color\n# {line}\n\n  {line} \n", encoding="utf-8")
    assert classes_of_lines(path) == {name: [color]}


def test_colors_alone_get_names_by_their_order(tmp_path: Path) -> None:
    path = tmp_path / "colors.txt"
    path.write_text("0 0 0\n128,64,128\n#80c0a0\n")
    mapping = mapping_of_colors(str(path))
    assert mapping.info.classes == ("class 0", "class 1", "class 2")
    assert mapping.targets == {0: 0, packed((128, 64, 128)): 1, packed((128, 192, 160)): 2}
    path.write_text("0 0 0\n128 64 128 road\n")
    with pytest.raises(DatasetError, match=r"Line 2 of .* is '128 64 128 road'; .*colors alone in all lines"):
        classes_of_lines(path)


@pytest.mark.parametrize(
    "line", ["road", "Road 128 64", "Road 1 2 3 4", "road:1,2", "road,#12345", "1 2", "a\x1b[2J" * 900]
)
def test_a_line_of_no_form_is_shown_and_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "colors.txt"
    path.write_text(f"1 2 3 sky\n{line}\n")
    with pytest.raises(
        DatasetError, match=r"Line 2 of .* is '.*'; 'R G B name', 'name:R,G,B' or .* was expected"
    ) as caught:
        classes_of_lines(path)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400 + len(str(path))


def test_no_line_takes_time_by_the_square(tmp_path: Path) -> None:
    path = tmp_path / "colors.txt"
    begin = time.process_time()
    for piece in ("a", "a ", "a,", " \t", "1,", "1 , ", ":1,1", ",#80408", "a 1, 1, 1:", ", ", "#804080"):
        path.write_text("1 2 3 sky\nx" + piece * (60_000 // len(piece)) + "x\n")
        try:
            classes_of_lines(path)
        except DatasetError:
            continue
    assert time.process_time() - begin < 20, "it takes a tenth of a second; by the square it would be minutes"


def test_lists_of_labels_of_other_tools(tmp_path: Path) -> None:
    supervisely = {
        "classes": [
            {"title": "road", "shape": "bitmap", "color": "#804080", "id": 1},
            {"title": "2 wheels", "shape": "polygon", "color": "#464646", "id": 2},
        ],
        "tags": [],
        "projectType": "images",
    }
    cvat = [{"name": "road", "color": "#804080", "attributes": []}, {"name": "2 wheels", "color": "#464646"}]
    for name, content in {"meta.json": supervisely, "labels.json": cvat}.items():
        (tmp_path / name).write_text(json.dumps(content))
        mapping = mapping_of_colors(str(tmp_path / name))
        assert mapping.info.classes == ("road", "2 wheels")
        assert mapping.targets == {packed((128, 64, 128)): 0, packed((70, 70, 70)): 1}


@pytest.mark.parametrize(
    "content", [None, [], {}, [1], [{"name": 1, "color": "#000000"}], [{"name": "a"}], {"classes": {"a": 1}}]
)
def test_what_is_no_list_of_labels(content: object) -> None:
    assert classes_of_list(content) is None
