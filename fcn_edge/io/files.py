"""Whole files or none: write to a temporary name, then rename."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fcn_edge.errors import FcnEdgeError, MachineError, UsageError
from fcn_edge.io.machine import machine_fault

__all__ = [
    "check_writable",
    "copy_file",
    "flush",
    "remove_leftovers",
    "replacing",
    "same_file",
    "sha256_of",
    "write_errors",
]

NOT_WRITABLE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EROFS, errno.EPERM, errno.EISDIR})
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp(\.[^.]*)?")
ALMOST_NOTHING = 1 << 20
"""Free bytes of a disk that count as none."""


@contextmanager
def replacing(path: Path, *, before: Path | None = None, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well, and vanishes when it does not.

    Args:
        path: The file to write.
        before: Where the file goes that ``path`` was until then, if there was one; None drops it.
        durable: Wait until the disk has the file, so that a power cut leaves the new one or the one before; without
            it, some file systems leave an empty one.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{path.suffix}")
    try:
        with write_errors(path):
            yield temporary
            if durable:
                _flush_file(temporary)
            if before is not None:
                with suppress(FileNotFoundError):
                    os.replace(path, before)
            os.replace(temporary, path)
            if durable:
                _flush_directory(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


def check_writable(path: Path) -> None:
    """Find out whether ``replacing`` could write a file, before the work that would be lost if it could not.

    Raises:
        UsageError: It is a directory, or its directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    with write_errors(path):
        parent = path.absolute().parent
        if path.is_dir():
            raise UsageError(f"{path} is a directory; a file was expected.", "Name a file, which may lie in it.")
        if not parent.is_dir():
            raise UsageError(f"{path} could not be written: there is no directory {path.parent}.", "Make it first.")
        # root may write where the permissions say no, and nobody may on a read-only disk: only trying tells
        with tempfile.TemporaryFile(dir=parent):
            pass


def copy_file(source: Path, path: Path) -> None:
    """Copy a file, whole or not at all.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)


def flush(path: Path) -> None:
    """Wait until the disk has what a file and its directory hold."""
    _flush_file(path)
    _flush_directory(path.parent)


def _flush_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        # some network file systems flush files alone
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(directory)


def remove_leftovers(directory: Path) -> None:
    """Remove the temporary files of ``replacing`` that killed processes left; nobody else may write there meanwhile."""
    for path in directory.glob(".*.tmp*"):
        if _TEMPORARY.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, be it there or not."""
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


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
