"""Which files of a folder are images, and which are left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fcn_edge.errors import DatasetError
from fcn_edge.io.images.decoding import decoded
from fcn_edge.io.images.kinds import GIF, Kind, is_video, kind_of
from fcn_edge.io.images.opened import head_of, opened, pictures_in
from fcn_edge.io.images.support import is_built_in
from fcn_edge.io.opencv import cv2
from fcn_edge.text import listed

__all__ = ["IMAGE_SUFFIXES", "FoundImages", "images_among", "is_picture"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of files that are meant to be images, in lower case: of those found no image, this is said."""

_LEFTOVERS = (".tmp", ".part", ".crdownload", ".bak", ".orig", "~")
"""Endings of files that are a copy or no whole file yet."""

_SHOWN = 3


@dataclass
class FoundImages:
    """Images of a folder.

    Attributes:
        files: By name.
        left_out: Names of pictures and other binary files that cannot be read, each with what it is; sidecar files of
            text are none.
        absent: Called like images, and no files: broken links, folders. They are among those left out.
        fix: What to do with the first of those.
    """

    files: list[Path] = field(default_factory=list)
    absent: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    fix: str = ""

    def note(self, folder: Path) -> str:
        """A sentence that says what is left out; empty where nothing is."""
        count = len(self.left_out)
        if not count:
            return ""
        files = "1 file is" if count == 1 else f"{count} files are"
        return f"{files} left out of {folder}: {listed(self.left_out, _SHOWN)}. {self.fix}".rstrip()


def images_among(paths: Iterable[Path]) -> FoundImages:
    """The files that are images: by their first bytes, and those that are called like images.

    Hidden files are passed over.

    Raises:
        OSError: The folder cannot be read.
    """
    found = FoundImages()
    for path in sorted(paths):
        if path.name.startswith("."):
            continue
        named = path.suffix.lower() in IMAGE_SUFFIXES
        if not path.is_file():
            if named:
                found.absent.append(path)
                found.left_out.append(f"{path.name} is no file")
            continue
        if named:
            found.files.append(path)
            continue
        try:
            head = head_of(path)
        except DatasetError:
            found.left_out.append(f"{path.name} cannot be read")
            continue
        kind = kind_of(head)
        if kind is not None and is_built_in(kind) and not path.name.lower().endswith(_LEFTOVERS):
            found.files.append(path)
        elif kind is not None or b"\0" in head:
            found.left_out.append(f"{path.name} is {_what(path, kind, head)}")
            found.fix = found.fix or (kind.fix if kind is not None and not is_built_in(kind) else "")
    return found


def is_picture(path: Path) -> bool:
    """Whether a file is for the reader of images, and not for that of videos, which plays several pictures.

    Raises:
        DatasetError: It cannot be read.
    """
    named = path.suffix.lower() in IMAGE_SUFFIXES
    head = head_of(path)
    kind = kind_of(head)
    if kind is None or named:
        return named and not is_video(head)
    if kind.readable and not is_built_in(kind):
        return False
    if kind is GIF:
        return _is_still(path)
    return not kind.readable or pictures_in(path, kind) == 1


def _is_still(path: Path) -> bool:
    """Whether a GIF file is one picture that OpenCV reads; FFmpeg reads some more."""
    try:
        file = opened(path)
        decoded(file, cv2().IMREAD_COLOR)
    except DatasetError:
        return False
    return file.facts.pictures == 1


def _what(path: Path, kind: Kind | None, head: bytes) -> str:
    if kind is None:
        return "a video" if is_video(head) else "no image"
    if path.name.lower().endswith(_LEFTOVERS):
        return "no finished file by its name"
    return kind.name if not kind.readable else f"{kind.name}, which this OpenCV cannot read"
