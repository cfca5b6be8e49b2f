from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from fcn_edge.errors import DatasetError, MachineError, UsageError
from fcn_edge.io.files import check_writable, remove_leftovers, replacing, same_file, sha256_of

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


def test_a_file_that_can_be_written_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    check_writable(tmp_path / "old.txt")
    check_writable(tmp_path / "new.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


@pytest.mark.parametrize(("name", "said"), [(".", "is a directory"), ("absent/out.txt", "there is no directory")])
def test_a_place_for_no_file_is_found_out_beforehand(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_writable(tmp_path / name)


def test_a_directory_that_may_not_be_written_is_found_out_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(UsageError, match=r"out\.txt could not be written: Read-only file system"):
        check_writable(tmp_path / "out.txt")


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


def test_leftovers_of_killed_processes(tmp_path: Path) -> None:
    with replacing(tmp_path / "file.pt") as temporary:
        temporary.write_text("half")
        for name in (".file.tmp", ".4711.tmp.pt.txt", "file.4711.tmp.pt"):
            (tmp_path / name).write_text("another's")
        remove_leftovers(tmp_path)
        assert not temporary.exists()
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [".file.tmp", ".4711.tmp.pt.txt", "file.4711.tmp.pt", "file.pt"]
    )
