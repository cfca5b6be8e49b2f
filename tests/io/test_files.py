from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import stat
from collections import namedtuple
from pathlib import Path

import pytest

from fcn_edge.errors import DatasetError, MachineError, UsageError
from fcn_edge.io.files import opened_now, replacing, same_file, sha256_of

Usage = namedtuple("Usage", "total used free")


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".txt", "libraries choose the format by it"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), DatasetError("broken")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("raised", "free", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1 << 30, MachineError),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 1 << 30, MachineError),
        (RuntimeError("unexpected pos 7628800"), 0, MachineError),
        (RuntimeError("unexpected pos 7628800"), 1 << 30, RuntimeError),
        (DatasetError("broken"), 0, DatasetError),
        (OSError(errno.EACCES, "Permission denied"), 1 << 30, UsageError),
        (OSError(errno.ENOTEMPTY, "Directory not empty"), 0, OSError),
    ],
)
def test_what_a_failure_to_write_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, free: int, expected: type[Exception]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, free))
    with pytest.raises(expected) as caught, replacing(tmp_path / "out.txt"):
        raise raised
    assert type(caught.value) is expected
    if expected is MachineError:
        assert "The disk is full" in str(caught.value)


def test_a_failing_disk_is_no_internal_error(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"out\.txt could not be read or written"), replacing(tmp_path / "out.txt"):
        raise OSError(errno.EIO, "Input/output error")


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="could not be written: No such file"),
        replacing(tmp_path / "absent/out.txt") as temporary,
    ):
        temporary.write_text("new")


def test_what_is_no_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to("pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # the addresses of sockets are short
        listening.bind("socket.json")
    cases = {
        "pipe.json": "a named pipe",
        "link.json": "a named pipe",
        "socket.json": "a socket",
        "loop.json": "leads to itself",
        "/dev/null": "a device",
        "/dev/stdout": "a device",
        "nul\0.json": "NUL",
    }
    for name, said in cases.items():
        with pytest.raises(UsageError, match=said), replacing(tmp_path / name):
            pytest.fail("there is nothing to write")
    assert (tmp_path / "pipe.json").is_fifo()
    assert len(list(tmp_path.iterdir())) == 4


def test_dots_lead_out_of_the_systems_directories(tmp_path: Path) -> None:
    with replacing(Path(f"/dev/..{tmp_path}/out.txt")) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "out.txt").read_text() == "new"


def test_a_link_that_was_put_there_is_not_followed(tmp_path: Path) -> None:
    """What is written goes into a new file that nobody else made."""
    (tmp_path / "precious").write_text("precious")
    names = []
    for _ in range(2):
        with replacing(tmp_path / "out.txt") as temporary:
            names.append(temporary.name)
            assert temporary.is_file()
            assert not temporary.is_symlink()
            temporary.write_text("new")
    assert names[0] != names[1]
    assert str(os.getpid()) not in names[0].split("-")


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "usual") as temporary:
            temporary.write_text("")
        with replacing(tmp_path / "private", mode=0o600) as temporary:
            temporary.write_text("")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "usual").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["x" * 255, "x" * 250 + ".json", "a." + "y" * 253])
def test_the_longest_names(tmp_path: Path, name: str) -> None:
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(UsageError, match=r"(?i)name too long"), replacing(tmp_path / f"{name}z") as temporary:
        temporary.write_text("new")


def test_a_directory_that_is_no_file_does_not_stay_open(tmp_path: Path) -> None:
    def number_of_the_next() -> int:
        with Path(os.devnull).open("rb") as file:
            return file.fileno()

    before = number_of_the_next()
    with pytest.raises(IsADirectoryError):
        opened_now(tmp_path)
    assert number_of_the_next() == before


def test_two_paths_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "hard").hardlink_to(tmp_path / "there")
    (tmp_path / "directory").symlink_to(tmp_path)
    for name in ("there", "link", "hard", "directory/there", "directory/../" + tmp_path.name + "/there"):
        assert same_file(tmp_path / "there", tmp_path / name)
    assert same_file(tmp_path / "absent", tmp_path / "directory/absent")
    assert not same_file(tmp_path / "absent", tmp_path / "there")
    assert not same_file(tmp_path / "absent", tmp_path / "other")


def test_a_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = b"0123456789" * 300_000
    (tmp_path / "file").write_bytes(content)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_durable_file_and_its_directory_are_flushed_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = tmp_path / "file.pt", tmp_path / "before.pt"
    path.write_text("old")
    real, seen = os.fsync, []

    def fsync(descriptor: int) -> None:
        seen.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.read_text()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path, before=before, durable=True) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), before.read_text()) == ("new", "old")
    # the file before it takes the place, the directory after that
    assert seen == [(str(temporary), "old"), (str(tmp_path), "new")]
