from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from fcn_edge.datasets.info import DatasetInfo, read_info, toml_of_info
from fcn_edge.errors import DatasetError


def test_a_palette_is_generated_where_none_is_given() -> None:
    info = DatasetInfo(name="x", classes=("a", "b", "c"))
    assert len(set(info.colors)) == 3
    assert info.void == 255


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classes": ("a", "a")}, "'a' stands there twice"),
        ({"classes": ()}, "there is no class; two or more"),
        ({"classes": ("crack",)}, "there is one class, 'crack'; two or more .* such as 'background', and no void"),
        ({"classes": tuple(map(str, range(256)))}, "there are 256 classes; labels of 8 bits hold 255 beside void"),
        ({"classes": ("a", "")}, "at least 1"),
        ({"void": 1}, "must lie outside the class ids 0..1"),
        ({"void": 256}, "255"),
        ({"palette": ((0, 0, 0),)}, "2 classes need 2 colors"),
        ({"palette": ((0, 0, 0), (0, 0, 300))}, "255"),
        ({"color": 1}, "Extra inputs"),
        ({"name": ""}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        DatasetInfo.model_validate({"name": "x", "classes": ("a", "b"), **changes})


@pytest.mark.parametrize("name", ["plain", 'a "quoted" \\ name', "Straße 街路 \N{GRINNING FACE}", "tab\tand\x7fdelete"])
def test_a_written_file_reads_back(tmp_path: Path, name: str) -> None:
    info = DatasetInfo(name=name, classes=(name, "b"), void=200, palette=((1, 2, 3), (4, 5, 6)))
    (tmp_path / "dataset.toml").write_text(toml_of_info(info), encoding="utf-8")
    assert read_info(tmp_path) == info


def test_the_file_of_the_split_goes_before_that_of_its_parent(tmp_path: Path) -> None:
    split = tmp_path / "train"
    split.mkdir()
    (tmp_path / "dataset.toml").write_text('name = "parent"\nclasses = ["a", "b"]')
    assert read_info(split).name == "parent"
    (split / "dataset.toml").write_text('name = "own"\nclasses = ["a", "b"]')
    assert read_info(split).name == "own"


def test_the_parent_is_found_from_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "dataset.toml").write_text('name = "parent"\nclasses = ["a", "b"]')
    monkeypatch.chdir(tmp_path / "train")
    assert read_info(Path()).name == "parent"


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "dataset.toml").write_text('name = "x"\nclasses = ["a", "b"]', encoding="utf-8-sig")
    assert read_info(tmp_path).name == "x"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name = ", "not valid TOML"),
        (b"name = '\xff'", "not valid TOML"),
        (b"name = 'x'", r"dataset\.toml is not valid: classes: it is missing"),
        (b"name = 'x'\nclasses = ['a', 'b']\nvoid = 1", r"void \(1\) must lie outside"),
    ],
)
def test_a_damaged_file_is_named_with_its_problem(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "dataset.toml").write_bytes(content)
    with pytest.raises(DatasetError, match=problem):
        read_info(tmp_path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no dataset\.toml in .* or in its parent") as caught:
        read_info(tmp_path)
    assert 'classes = ["road", "sky"]' in caught.value.fix
