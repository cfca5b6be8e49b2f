"""Whole files or none: write to a temporary name, then rename."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fcn_edge.errors import FcnEdgeError, MachineError, UsageError
from fcn_edge.io.machine import machine_fault
from fcn_edge.io.temporary import temporary_file

__all__ = [
    "copy_file",
    "flush_directory",
    "flush_tree",
    "opened_now",
    "refuse_no_file",
    "replacing",
    "same_file",
    "sha256_of",
    "write_errors",
]

NOT_WRITABLE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EROFS,
        errno.EPERM,
        errno.EISDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        # a file that is a mount of its own
        errno.EBUSY,
        errno.EXDEV,
    }
)
ALMOST_NOTHING = 1 << 20
"""Free bytes of a disk that count as none."""
_OF_THE_SYSTEM = ("/dev", "/proc", "/sys")
_SHARED_MEMORY = "/dev/shm"


@contextmanager
def replacing(path: Path, *, before: Path | None = None, durable: bool = False, mode: int = 0o666) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and vanishes when it does not.

    An empty file is there already, which the block fills: nobody can have put a link there. Where the process is
    killed, it goes when the next one writes into the same directory.

    Args:
        path: The file to write.
        before: Where the file goes that ``path`` was until then, if there was one; None drops it.
        durable: Wait until the disk has the file, so that a power cut leaves the new one or the one before; without
            it, some file systems leave an empty one.
        mode: Permissions of the file, less those that the process gives to no file.

    Raises:
        UsageError: The directory does not exist or may not be written, or ``path`` is a pipe, a socket or a device.
        MachineError: The disk is full.
    """
    refuse_no_file(path)
    with write_errors(path), temporary_file(path.parent, path.suffix, mode) as temporary:
        yield temporary
        if durable:
            _flush_file(temporary)
        if before is not None:
            with suppress(FileNotFoundError):
                os.replace(path, before)
        os.replace(temporary, path)
        if durable:
            flush_directory(path.parent)


def refuse_no_file(path: Path) -> None:
    """Refuse to write a file where a pipe, a socket or a device is, or where the system keeps such.

    Raises:
        UsageError: One is there, or a link that leads to itself, or the name cannot be one.
    """
    if "\0" in str(path):
        raise UsageError(f"{str(path)!r} is no name of a file: it holds a NUL.", "Give another name.")
    kind = _special_kind(path)
    if kind is not None:
        raise UsageError(
            f"{path} is {kind}; a file was expected.", "Write to a file, and copy that to where it is needed."
        )


def _special_kind(path: Path) -> str | None:
    parent = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120 - without the dots of /dev/../tmp
    of_the_system = any(parent == top or parent.startswith(f"{top}/") for top in _OF_THE_SYSTEM)
    if of_the_system and parent != _SHARED_MEMORY and not parent.startswith(f"{_SHARED_MEMORY}/"):
        # also where /dev/stdout leads to a file: that name itself would be replaced, for every program
        return "a device, or another thing of the system"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return "a link that leads to itself" if error.errno == errno.ELOOP else None
    kinds = {
        stat.S_ISFIFO: "a named pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), None)


def copy_file(source: Path, path: Path, *, durable: bool = False) -> None:
    """Copy a file, whole or not at all.

    Args:
        source: The file.
        path: What the copy is called.
        durable: Wait until the disk has it.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    with replacing(path, durable=durable) as temporary:
        shutil.copyfile(source, temporary)


def flush_tree(directory: Path) -> None:
    """Wait until the disk has all that lies below a directory."""
    for place, _, names in os.walk(directory):
        for name in names:
            _flush_file(Path(place, name))
        flush_directory(Path(place))


def _flush_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_directory(path: Path) -> None:
    """Wait until the disk has the names that a directory holds."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        # some network file systems flush files alone
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(directory)


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, be it there or not: by links of both kinds too."""
    with suppress(OSError):
        return one.samefile(other)
    return os.path.realpath(one) == os.path.realpath(other)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """What goes wrong when ``path`` is written, in a sentence.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        fault = machine_fault(error, path)
        if fault is not None:
            raise fault from error
        if _disk_is_full(error, path.parent):
            raise MachineError(f"The disk is full: {path} could not be written.", "Free some space.") from error
        if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
            raise UsageError(
                f"{path} could not be written: {error.strerror}.",
                "Give a path in a directory that exists and is yours.",
            ) from error
        raise


def _disk_is_full(error: Exception, directory: Path) -> bool:
    # torch and others write files themselves, and their errors do not say why that failed
    return not isinstance(error, FcnEdgeError | OSError) and shutil.disk_usage(directory).free < ALMOST_NOTHING


def opened_now(path: Path) -> BinaryIO:
    """A file that is open for reading, also where it is a named pipe: one that nobody writes has its end at once.

    Raises:
        OSError: It cannot be opened.
    """
    # an opener, because a descriptor of a directory would stay open
    file = open(path, "rb", opener=_opened_without_waiting)  # noqa: SIM115
    os.set_blocking(file.fileno(), True)  # who has the other end may take his time
    return file


def _opened_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
