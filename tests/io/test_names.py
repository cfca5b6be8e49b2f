from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcn_edge.io.names import names_of_files, numbered


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.jpg", "b.png"], ["a", "b"]),
        (["a.jpg", "a.png", "b.png"], ["a.jpg", "a.png", "b"]),
        (["x.jpg", "x.jpg.png", "x.png"], ["x.jpg", "x.jpg.png", "x.png"]),
        (["x", "x.jpg"], ["x", "x.jpg"]),
        (["x.jpg", "x.jpg.png", "x.jpg.png.bmp", "x.png"], ["x.jpg", "x.jpg.png", "x.jpg.png.bmp", "x.png"]),
        ([], []),
    ],
)
def test_files_of_a_folder(files: list[str], expected: list[str]) -> None:
    assert names_of_files([Path(name) for name in files]) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["a-b-c", "a-b-c", "z-c"], ["a-b-c", "a-b-c-2", "z-c"]),
        (["a", "a", "a-2", "a"], ["a", "a-3", "a-2", "a-4"]),
        ([], []),
    ],
)
def test_names_that_have_occurred_get_a_number(names: list[str], expected: list[str]) -> None:
    assert numbered(names) == expected


STEMS = st.text("ab.-2", min_size=1, max_size=5).filter(lambda text: text.strip("."))


@given(st.sets(st.tuples(STEMS, st.sampled_from(["", ".png", ".jpg"])).map("".join), max_size=12).map(sorted))
def test_no_file_is_called_as_another(files: list[str]) -> None:
    names = names_of_files([Path(name) for name in files])
    assert len({*names}) == len(files)
    assert all(file.startswith(name) for file, name in zip(files, names, strict=True))


@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "a-2-2", "b"]), max_size=12))
def test_no_number_makes_a_name_that_is_there(names: list[str]) -> None:
    assert len({*numbered(names)}) == len(names)
    assert {*names} <= {*numbered(names)}
