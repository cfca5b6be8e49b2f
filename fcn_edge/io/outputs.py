"""Where a command may write: never over what it reads, by whatever name, nor into what belongs together.

Every verb that writes files asks here, before its work and not after hours of it.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.io.files import refuse_no_file, same_file, write_errors

__all__ = [
    "ENGINE_FILE",
    "IMAGES",
    "LABELS",
    "Inputs",
    "check_folder",
    "check_new_folder",
    "check_outputs",
    "refuse_kept",
]

ENGINE_FILE = "engine.json"
"""What makes a directory an engine."""
_ENGINE_MARK = b'"model_digest"'
_HEAD = 1 << 16

IMAGES, LABELS = "images", "labels"
"""Directories of a split of a data set, side by side."""


class Inputs:
    """Files that are read, by every name that they have.

    Args:
        files: Their paths, links among them as they were found.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._places: set[str] = set()
        self._nodes: set[tuple[int, int]] = set()
        self._folders: set[str] = set()
        parents: dict[Path, str] = {}
        for path in files:
            if path.parent not in parents:
                parents[path.parent] = os.path.realpath(path.parent)
            place = os.path.join(parents[path.parent], path.name)  # noqa: PTH118 - there may be a million
            self._add(place)
            if os.path.islink(place):  # noqa: PTH114
                self._add(os.path.realpath(place))

    def _add(self, place: str) -> None:
        self._places.add(place)
        self._folders.add(os.path.dirname(place))  # noqa: PTH120
        with suppress(OSError):
            status = os.stat(place)  # noqa: PTH116
            self._nodes.add((status.st_dev, status.st_ino))

    def has(self, path: Path) -> bool:
        """Whether a path, or what it leads to, is one of them: by its name, a link or a hard link."""
        with suppress(OSError):
            status = path.stat()
            return (status.st_dev, status.st_ino) in self._nodes
        return os.path.realpath(path) in self._places

    def lie_in(self, folder: Path) -> bool:
        """Whether one of them, or a link to one that is read, lies in a folder or is there under another name."""
        if os.path.realpath(folder) in self._folders:
            return True
        with suppress(OSError):
            device = folder.stat().st_dev
            with os.scandir(folder) as entries:
                return any(
                    self.has(Path(entry.path)) if entry.is_symlink() else (device, entry.inode()) in self._nodes
                    for entry in entries
                )
        return False


def check_outputs(outputs: Mapping[str, Path], reads: Mapping[str, Path]) -> None:
    """Refuse files to write that could not be written, that are two for one place, or that something would be lost to.

    What is there already is left as it is, and nothing is made.

    Args:
        outputs: The files by what they are in a sentence, such as ``table``.
        reads: What the command reads, likewise, such as ``checkpoint``; what is absent does not matter.

    Raises:
        UsageError: One is a directory, pipe, socket or device; it is also an input or another output; its directory
            does not exist, may not be written or is an engine; or it is an image or label file of a data set.
        MachineError: The disk is full.
    """
    taken = dict(reads)
    for name, path in outputs.items():
        with write_errors(path):
            if path.is_dir():
                raise UsageError(f"{path} is a directory; a file was expected.", "Name a file, which may lie in it.")
            refuse_no_file(path)
            for other, there in taken.items():
                if same_file(path, there):
                    raise UsageError(
                        f"{path} is the {other} and would be replaced by the {name}.", "Give the file another name."
                    )
            taken[name] = path
            refuse_kept(path)
            parent = path.absolute().parent
            if not parent.is_dir():
                raise UsageError(f"{path} could not be written: there is no directory {path.parent}.", "Make it first.")
            _try_to_write(parent)


def check_folder(folder: Path, reads: Inputs) -> None:
    """Refuse a folder for files that are called after those that are read; it may be there or not.

    Args:
        folder: The folder.
        reads: What is read.

    Raises:
        UsageError: What is read lies in it, by whatever name; it is part of an engine or holds the images or labels of
            a data set; or it may not be written.
        MachineError: The disk is full.
    """
    if reads.lie_in(folder):
        raise UsageError(
            f"{folder} holds what the source reads, or links to that: what is written would mix with it or replace it.",
            "Give another folder.",
        )
    refuse_kept(folder)
    if folder.is_dir():
        with write_errors(folder):
            _try_to_write(folder)


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that could not be made.

    Raises:
        UsageError: It would be part of an engine, or the directory that it would lie in may not be written or is none.
        MachineError: The disk is full.
    """
    refuse_kept(folder)
    with write_errors(folder):
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        _try_to_write(there)


def refuse_kept(path: Path) -> None:
    """Refuse a place in an engine directory, and the images and labels of a data set, which people drew.

    Args:
        path: A file or a folder, there or not.

    Raises:
        UsageError: It is one of these, or cannot be looked at, such as for its name's length.
    """
    place = Path(os.path.realpath(path))
    for directory in (place, *place.parents):
        if _is_engine(directory):
            raise UsageError(
                f"{path} lies in the engine {directory}, which is usable only as it was built.",
                "Give a place outside of it.",
            )
    with write_errors(path):
        folder = place if place.is_dir() else place.parent
        # a new file beside others, or a folder that is still empty, takes nothing away
        kept = _is_of_data_set(folder) and (place.is_file() or (place.is_dir() and any(place.iterdir())))
    if kept:
        raise UsageError(
            f"{path} belongs to the data set {folder.parent}: its {folder.name} would be replaced, or mixed with "
            "what is written.",
            "Give a place outside of it, or remove what an earlier run left there.",
        )


def _is_engine(directory: Path) -> bool:
    path = directory / ENGINE_FILE
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return _ENGINE_MARK in file.read(_HEAD)
    return False


def _is_of_data_set(folder: Path) -> bool:
    if folder.name not in (IMAGES, LABELS):
        return False
    return all(folder.with_name(name).is_dir() for name in (IMAGES, LABELS))


def _try_to_write(directory: Path) -> None:
    # root may write where the permissions say no, and nobody may on a read-only disk: only trying tells
    with tempfile.TemporaryFile(dir=directory):
        pass
