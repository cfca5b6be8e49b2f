"""A file that a muxer writes into: what was complete stays, also where the disk runs full."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["VideoFile"]


class VideoFile:
    """A file on disk with the methods that PyAV asks for. Nothing waits in memory: a kill loses nothing of it.

    Args:
        path: The file; one that is there is replaced.
        make_room: Called with the number of bytes by which the file is about to grow.
        new: There must be no file of that name yet.

    Attributes:
        size: Bytes of the file.

    Raises:
        OSError: It cannot be made; FileExistsError where it had to be new.
    """

    def __init__(self, path: Path, make_room: Callable[[int], None], new: bool = False) -> None:
        self._path = path
        self._make_room = make_room
        self._file = path.open("x+b" if new else "w+b", buffering=0)
        self._position = 0
        self._complete = 0
        self._failed: OSError | None = None
        self.size = 0

    @property
    def closed(self) -> bool:
        """It was closed or abandoned."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write all of it, at once.

        Raises:
            OSError: The disk is full, or gone; from then on nothing is written.
        """
        if self._failed is not None:
            raise self._failed
        end = self._position + len(data)
        if end > self.size:
            self._make_room(end - self.size)
        left = memoryview(data)
        try:
            while left:  # a disk that gets full takes a part first
                left = left[self._file.write(left) :]
        except OSError as error:
            self._failed = error
            raise
        self._position = end
        self.size = max(self.size, end)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another position."""
        self._position = self._file.seek(offset, whence)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def complete(self) -> None:
        """What was written so far plays by itself."""
        self._complete = self.size

    def fail(self) -> None:
        """Take nothing any more."""
        self._failed = self._failed or OSError(errno.EIO, os.strerror(errno.EIO))

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def abandon(self) -> None:
        """Close it and leave what is complete; no file where nothing is."""
        if self.closed:
            return
        with suppress(OSError):
            self._file.truncate(self._complete)
        with suppress(OSError):
            self._file.close()
        if not self._complete:
            self._path.unlink(missing_ok=True)

    @staticmethod
    def is_full(error: OSError) -> bool:
        """Whether an error says that the disk is full."""
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
