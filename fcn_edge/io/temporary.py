"""Temporary files and directories: nobody can guess their names, and those of killed processes are found again.

Each is locked by the process that made it for as long as that lives, whatever ends it. What bears such a name and is
locked by nobody is a leftover, and goes when the next one is made in the same directory.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

__all__ = ["remove_leftovers", "temporary_directory", "temporary_file"]

_NAME = re.compile(r"\.fcn-edge-([0-9a-f]{8})-[0-9a-f]{16}\.tmp(\.[^.]*)?")
_LONGEST_SUFFIX = 16
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

FOREIGN_SECONDS = 86400.0
"""Age from which what another machine, or this one before it was started anew, left is a leftover: some network file
systems keep the locks of each machine to itself."""

_cleaned: set[tuple[int, int]] = set()
"""Directories, by device and inode, whose leftovers this process has removed: once is enough for a folder of masks."""


@contextmanager
def temporary_file(directory: Path, suffix: str = "", mode: int = 0o666) -> Iterator[Path]:
    """A new, empty file for the block, which vanishes with it unless it was renamed.

    Args:
        directory: Where it lies.
        suffix: What its name ends in, because libraries choose the format by it.
        mode: Its permissions, less those that the process gives to no file.

    Raises:
        OSError: It cannot be made.
    """

    def make(path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)

    path, descriptor = _made(directory, suffix if len(suffix) <= _LONGEST_SUFFIX else "", make)
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


@contextmanager
def temporary_directory(directory: Path) -> Iterator[Path]:
    """A new, empty directory for the block, which nobody else may enter and which vanishes with all that is in it.

    Args:
        directory: Where it lies.

    Raises:
        OSError: It cannot be made.
    """

    def make(path: Path) -> int:
        path.mkdir(0o700)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

    path, descriptor = _made(directory, "", make)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def remove_leftovers(directory: Path) -> None:
    """Remove what killed processes left in a directory; what a living one holds stays, and so does everything else."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - a folder of a million masks makes no million objects
    except OSError:
        return
    for name in names:
        if found := _NAME.fullmatch(name):
            with suppress(OSError):
                _remove_if_left(directory / name, of_this_boot=found[1] == _boot())


def _made(directory: Path, suffix: str, make: Callable[[Path], int]) -> tuple[Path, int]:
    """The path of something new that ``make`` made, and the descriptor that it gave, which holds the lock."""
    status = directory.stat()
    if (status.st_dev, status.st_ino) not in _cleaned:
        _cleaned.add((status.st_dev, status.st_ino))
        remove_leftovers(directory)
    while True:
        path = directory / f".fcn-edge-{_boot()}-{secrets.token_hex(8)}.tmp{suffix}"
        try:
            descriptor = make(path)
        except FileExistsError:
            continue
        if _is_held(path, descriptor):
            return path, descriptor
        os.close(descriptor)


def _is_held(path: Path, descriptor: int) -> bool:
    """Lock what was made; False where somebody took it for a leftover before, and removes it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, where nobody can lock what is left either, and it stays
    return _is_same(path, descriptor)


def _remove_if_left(path: Path, of_this_boot: bool) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not of_this_boot and time.time() - status.st_mtime < FOREIGN_SECONDS:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_same(path, descriptor):
            return
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        elif stat.S_ISREG(status.st_mode):
            path.unlink()
    finally:
        os.close(descriptor)


def _is_same(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False


@cache
def _boot() -> str:
    """Eight hexadecimal digits that tell this start of this machine from others."""
    try:
        return _BOOT_ID.read_text(encoding="ascii")[:8]
    except OSError:
        return "0" * 8
