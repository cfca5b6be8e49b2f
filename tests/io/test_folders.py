from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fcn_edge.io.folders import make_folder


def test_folder_is_made_with_those_around_it(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c", 0o700)
    make_folder(tmp_path / "a" / "b" / "c")
    modes = [stat.S_IMODE((tmp_path / place).stat().st_mode) & 0o077 for place in ("a", "a/b", "a/b/c")]
    assert modes[0] == modes[1] == stat.S_IMODE((tmp_path).stat().st_mode | 0o055) & 0o077
    assert modes[2] == 0


def test_folder_of_a_thousand_others_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("/".join(["d"] * 1200))
    try:
        make_folder(folder)
        assert folder.is_dir()
    finally:
        # pytest's own clearing calls itself for each of them
        for place in (folder, *folder.parents[:-1]):
            place.rmdir()


def test_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "a")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "a" / "b" / "c")
