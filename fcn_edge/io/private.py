"""Caches that hold what is run: nobody else may have written them."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.io.files import replacing
from fcn_edge.io.folders import make_folder

__all__ = ["read_private", "write_private"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def read_private(path: Path) -> bytes | None:
    """What a file holds that nobody but this user could write.

    Returns:
        None where it is absent or cannot be read, where it or its directory is somebody else's, or where others may
        write one of them.
    """
    with suppress(OSError):
        if not _is_private(path.parent.stat()):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - what was opened is what is looked at
            status = os.fstat(descriptor)
            return file.read() if stat.S_ISREG(status.st_mode) and _is_private(status) else None
    return None


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read or write, whole or not at all; its directory is made.

    A directory of this user that others may write is closed to them.

    Raises:
        UsageError: The directory is somebody else's, or may not be written.
        MachineError: The disk is full.
        OSError: The directory cannot be made.
    """
    directory = path.parent
    make_folder(directory, 0o700)
    status = directory.stat()
    if status.st_uid == os.geteuid() and status.st_mode & _OTHERS_WRITE:
        directory.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS_WRITE)
    elif not _is_private(status):
        raise UsageError(
            f"{directory} is somebody else's, or others may write it: nothing that is run is kept there.",
            "Set FCN_EDGE_CACHE to a directory of your own.",
        )
    with replacing(path, mode=0o600) as temporary:
        temporary.write_bytes(content)


def _is_private(status: os.stat_result) -> bool:
    """Whether it is this user's or root's, and nobody else may write it."""
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & _OTHERS_WRITE
