"""Two paths that change places in one step, so that at no moment either is absent."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

__all__ = ["exchanged"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})


def exchanged(one: Path, other: Path) -> bool:
    """Let two files or directories of one file system change places.

    Returns:
        Whether they did; False where the file system or the C library cannot, and everything is as it was.

    Raises:
        OSError: One of them is absent, or may not be renamed.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    paths = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))
