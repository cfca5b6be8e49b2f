from __future__ import annotations

import ctypes
import errno
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from fcn_edge.io.exchange import exchanged

ABLE = ("ext2/ext3", "xfs", "btrfs", "tmpfs")
"""File systems that can, as ``stat`` calls them; ext4 is the first."""


@pytest.fixture
def able(tmp_path: Path) -> None:
    """Skip where the file system may be unable, and nowhere else: what is wrong in ours looks the same."""
    told = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True)
    if told.stdout.strip() not in ABLE:
        pytest.skip(f"{told.stdout.strip()} may be a file system that cannot")


def made(directory: Path, content: str) -> Path:
    directory.mkdir()
    (directory / "file").write_text(content)
    return directory


@pytest.mark.usefixtures("able")
def test_two_directories_change_places(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", "1"), made(tmp_path / "\u00f6ther", "2")
    assert exchanged(one, other)
    assert ((one / "file").read_text(), (other / "file").read_text()) == ("2", "1")


@pytest.mark.usefixtures("able")
def test_neither_is_ever_absent(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", "1"), made(tmp_path / "other", "2")
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append((one / "file").read_text())

    thread = threading.Thread(target=look)
    thread.start()
    changes = [exchanged(one, other) for _ in range(200)]
    done.set()
    thread.join()
    assert all(changes)
    assert {*seen} <= {"1", "2"}
    assert seen


def test_what_is_absent_cannot(tmp_path: Path) -> None:
    one = made(tmp_path / "one", "1")
    with pytest.raises(FileNotFoundError):
        exchanged(one, tmp_path / "absent")
    assert (one / "file").read_text() == "1"


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EINVAL])
def test_a_file_system_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(renameat2=lambda *_: -1))
    monkeypatch.setattr(ctypes, "get_errno", lambda: error)
    assert not exchanged(tmp_path / "one", tmp_path / "other")


def test_a_c_library_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    assert not exchanged(tmp_path / "one", tmp_path / "other")
