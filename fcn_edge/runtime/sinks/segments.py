"""A series of video files: how they are called, and which ones go when there are too many."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from fcn_edge.errors import MachineError
from fcn_edge.io.outputs import Inputs

__all__ = ["Segments"]

DIGITS = 6


class Segments:
    """The files ``out-000000.mp4``, ``out-000001.mp4`` and so on beside ``out.mp4``.

    Numbers go on where an earlier run stopped, and nothing is written over. All files of these names belong to the
    series, and no others are ever deleted.

    Args:
        path: What the series is called after.
        keep: Bytes that its files may take together; without end when None.
        reads: Files that the run reads; they belong to no series.
    """

    def __init__(self, path: Path, keep: int | None = None, reads: Collection[Path] = ()) -> None:
        self._folder = path.parent
        self._start, self._suffix = f"{path.stem}-", path.suffix
        self._name = re.compile(rf"{re.escape(self._start)}([0-9]{{{DIGITS},}}){re.escape(path.suffix)}")
        self._keep = keep
        self._reads = Inputs(reads)
        self._older: list[tuple[Path, int]] = []
        self._used = 0

    def next_path(self) -> Path:
        """The name of the next file; those that are there are the ones that may be deleted from now on.

        Raises:
            MachineError: The folder is gone.
        """
        found = self._found()
        self._older = [(path, size) for _, path, size in found]
        self._used = sum(size for _, size in self._older)
        number = 1 + found[-1][0] if found else 0
        while (path := self._folder / f"{self._start}{number:0{DIGITS}}{self._suffix}").exists():
            number += 1
        return path

    def is_large(self, size: int) -> bool:
        """Whether a file of this size takes so much of what may be kept that a new one should begin."""
        return self._keep is not None and size >= self._keep // 2

    def make_room(self, growth: int) -> None:
        """Delete the oldest files until the newest may grow by this many bytes.

        Raises:
            MachineError: One cannot be deleted.
        """
        self._used += growth
        while self._keep is not None and self._used > self._keep and self._older:
            path, size = self._older.pop(0)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise MachineError(
                    f"The old video {path} cannot be deleted to make room: {error.strerror}.",
                    "Let its folder be written, or keep more.",
                ) from error
            self._used -= size

    def _found(self) -> list[tuple[int, Path, int]]:
        """Number, path and size of those that are there, the oldest first."""
        found = []
        try:
            for path in self._folder.iterdir():
                match = self._name.fullmatch(path.name)
                if match and path.is_file() and not path.is_symlink() and not self._reads.has(path):
                    found.append((int(match[1]), path, path.stat().st_size))
        except OSError as error:
            raise MachineError(
                f"The folder {self._folder} of the videos cannot be read: {error.strerror}.",
                "Check the disk, or write elsewhere.",
            ) from error
        return sorted(found)
