"""The images of a directory, by their content; what is left out of it is told once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fcn_edge.errors import DatasetError
from fcn_edge.io.images import FoundImages, images_among

__all__ = ["found_in", "images_in"]

_log = logging.getLogger(__name__)


def images_in(directory: Path, *, below: bool = False) -> list[Path]:
    """The images of a directory, by name; a warning names the pictures that cannot be read.

    Args:
        directory: Where they are.
        below: Whether those of its sub-directories count, too.

    Raises:
        DatasetError: The directory cannot be read.
    """
    found = found_in(directory, below=below)
    note = found.note(directory)
    if note:
        _warn_once(note)
    return sorted([*found.files, *found.absent])


def found_in(directory: Path, *, below: bool = False) -> FoundImages:
    """The images of a directory and what is left out of it; hidden files are passed over.

    Args:
        directory: Where they are.
        below: Whether those of its sub-directories count, too; links to directories are followed.

    Raises:
        DatasetError: The directory cannot be read.
    """
    try:
        return images_among(_below(directory) if below else directory.iterdir())
    except OSError as error:
        raise DatasetError(f"{directory} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _below(directory: Path) -> Iterator[Path]:
    """The files of a directory and of those in it; what is hidden is left out."""
    left: list[tuple[Path, frozenset[tuple[int, int]]]] = [(directory, frozenset())]
    while left:
        inner, above = left.pop()
        status = inner.stat()
        this = status.st_dev, status.st_ino
        if this in above:  # a link to a directory that it lies in
            continue
        for path in inner.iterdir():
            if path.is_dir() and not path.name.startswith("."):
                left.append((path, above | {this}))
            else:
                yield path


@cache
def _warn_once(note: str) -> None:
    # a split is looked at several times in one command
    _log.warning("%s", note)
