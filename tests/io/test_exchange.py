from __future__ import annotations

import ctypes
import errno
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from fcn_edge.io.exchange import exchanged


def made(directory: Path, content: str) -> Path:
    directory.mkdir()
    (directory / "file").write_text(content)
    return directory


def test_two_directories_change_places(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", "1"), made(tmp_path / "\u00f6ther", "2")
    if not exchanged(one, other):
        pytest.skip("this file system cannot")
    assert ((one / "file").read_text(), (other / "file").read_text()) == ("2", "1")


def test_neither_is_ever_absent(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one", "1"), made(tmp_path / "other", "2")
    if not exchanged(one, other):
        pytest.skip("this file system cannot")
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append((one / "file").read_text())

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(200):
        exchanged(one, other)
    done.set()
    thread.join()
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
