from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.io.private import read_private, write_private

SOMEBODY = 12345


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_is_read_and_nobody_else_may(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "kernel.bin"
    write_private(path, b"code")
    assert read_private(path) == b"code"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    write_private(path, b"other code")
    assert read_private(path) == b"other code"


def test_what_others_may_write_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "kernel.bin"
    write_private(path, b"code")
    for open_to_others in (0o620, 0o602, 0o666):
        path.chmod(open_to_others)
        assert read_private(path) is None
    path.chmod(0o644)
    assert read_private(path) == b"code"
    for open_to_others in (0o770, 0o707, 0o1777):
        path.parent.chmod(open_to_others)
        assert read_private(path) is None


def test_a_directory_of_ones_own_is_closed(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o775)
    write_private(tmp_path / "cache" / "kernel.bin", b"code")
    assert mode(tmp_path / "cache") == 0o755
    assert read_private(tmp_path / "cache" / "kernel.bin") == b"code"


def test_what_is_somebody_elses_is_neither_read_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cache" / "kernel.bin"
    write_private(path, b"planted")
    real = os.fstat
    other = os.stat_result((stat.S_IFREG | 0o600, 0, 0, 1, SOMEBODY, 0, 7, 0, 0, 0))
    monkeypatch.setattr(os, "fstat", lambda descriptor: other)
    assert read_private(path) is None
    monkeypatch.setattr(os, "fstat", real)
    monkeypatch.setattr(Path, "stat", lambda self: os.stat_result((stat.S_IFDIR | 0o755, 0, 0, 1, SOMEBODY, *[0] * 5)))
    assert read_private(path) is None
    with pytest.raises(UsageError, match="somebody else's"):
        write_private(path, b"code")


def test_links_and_pipes_are_not_read(tmp_path: Path) -> None:
    write_private(tmp_path / "cache" / "real", b"code")
    (tmp_path / "cache" / "link").symlink_to("real")
    os.mkfifo(tmp_path / "cache" / "pipe", 0o600)
    for name in ("link", "pipe", "absent"):
        assert read_private(tmp_path / "cache" / name) is None
