from __future__ import annotations

import inspect
import os
import stat
import sys
from pathlib import Path

import pytest

from fcn_edge.io.folders import make_folder


def test_folder_is_made_with_those_around_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        make_folder(tmp_path / "a" / "b" / "c", 0o700)
        make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / place).stat().st_mode) for place in ("a", "a/b", "a/b/c")]
    assert modes == [0o750, 0o750, 0o700]


def test_folder_of_more_others_than_calls_may_nest_is_made(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d"] * 120)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        make_folder(folder)
    finally:
        sys.setrecursionlimit(before)
    assert folder.is_dir()


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "a" / "b" / "c")
