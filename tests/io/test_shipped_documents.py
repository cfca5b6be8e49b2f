from __future__ import annotations

from pathlib import Path

from fcn_edge.io.shipped_documents import document_path, shipped_names


def test_a_name_that_ships_comes_before_a_file_of_that_name(tmp_path: Path) -> None:
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in ("b.toml", "a.toml", "notes.md"):
        (folder / name).write_text("", encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text("", encoding="utf-8")
    assert shipped_names(folder) == ("a", "b")
    assert document_path("a", folder) == folder / "a.toml"
    assert document_path(own, folder) == own
    for missing in ("c", "notes", "", str(tmp_path), "x" * 5000, "a\0b"):
        assert document_path(missing, folder) is None
