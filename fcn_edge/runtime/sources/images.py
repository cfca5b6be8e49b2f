"""An image file, or a folder of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from fcn_edge.errors import DatasetError, SourceError
from fcn_edge.io.images import Doubt, doubted_image, images_among
from fcn_edge.io.names import names_of_files
from fcn_edge.runtime.sources.base import FileConnection, LeftOutError, Picture
from fcn_edge.runtime.uri import Uri
from fcn_edge.text import listed

__all__ = ["ImageConnection"]

_log = logging.getLogger(__name__)

DARK = "dark"
"""That pictures have fewer bits than their files was told."""

FEW = 3
"""Names in the error at the end; each was told when its turn came."""


class ImageConnection(FileConnection):
    """Image files, one frame each, named after the file.

    An unreadable one in a folder keeps none of the others back: it is named, left out and counted in ``damaged``, and
    reading raises SourceError once all others were read.

    Args:
        address: What the user called them.
        path: An image, or a folder of them. Connecting raises SourceError when it holds none that can be read. What is
            left out of a folder is logged, and what is doubtful about an image, such as damage.
        bits: How many bits of files with 16 a value are used; 0 where nobody said.
        told: What was logged before, which is not said again when the images are read once more.
    """

    def __init__(self, address: Uri, path: Path, bits: int = 0, told: set[str] | None = None) -> None:
        super().__init__(address)
        self._path = path
        self._bits = bits
        self._told = set() if told is None else told
        self._named: Iterator[tuple[Path, str]] = iter(())
        self._unreadable: list[str] = []

    @property
    @override
    def damaged(self) -> int:
        """Files that could not be read."""
        return len(self._unreadable)

    @override
    def _open(self) -> None:
        paths, note = _images_of_folder(self._path) if self._path.is_dir() else ([self._path], "")
        if note:
            self._warn(note)
        # a.jpg and a.png must not write the same mask
        self._named = iter(list(zip(paths, names_of_files(paths), strict=True)))
        self.length = len(paths)
        self.files = frozenset(path.absolute() for path in paths)

    @override
    def read_next(self) -> Picture | None:
        for path, name in self._named:
            if (picture := self._picture(path, name)) is not None:
                return picture
        self._raise_for_unreadable()
        return None

    def _picture(self, path: Path, name: str) -> Picture | None:
        """The picture in a file; None where it is one of several and cannot be read."""
        try:
            image, doubts = doubted_image(path, self._bits)
        except DatasetError as error:
            if path == self._path:
                raise SourceError(error.message, error.fix) from error
            self._unreadable.append(path.name)
            self._warn(f"{error.message} It is left out.")
            return None
        for doubt in doubts:
            self._tell(doubt)
        return Picture(image, name)

    def _tell(self, doubt: Doubt) -> None:
        if not doubt.bits:
            self._warn(f"{doubt.message} {doubt.fix}")
        elif DARK not in self._told:  # one camera took them all
            self._told.add(DARK)
            self._warn(
                f"{doubt.message} Say how many bits the camera gives, such as with #bits={doubt.bits} behind SOURCE."
            )

    def _warn(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            _log.warning("%s", sentence)

    def _raise_for_unreadable(self) -> None:
        names = self._unreadable
        if names:
            others = " All others were processed." if len(names) != self.length else ""
            raise LeftOutError(
                f"{len(names)} of {self.length} images of {self._path} cannot be read: {listed(names, FEW)}.",
                f"Replace or remove them.{others}",
            )


def _images_of_folder(folder: Path) -> tuple[list[Path], str]:
    """The images of a folder, sorted by name, and what is left out; its own folders and hidden files are passed over.

    Raises:
        SourceError: It cannot be read, or holds no image.
    """
    try:
        found = images_among(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}.", "Check its permissions.") from error
    note = found.note(folder)
    if not found.files:
        inside = folder / "images"
        raise SourceError(
            " ".join(filter(None, (f"The folder {folder} holds no image that can be read.", note))),
            f"Give {inside}." if inside.is_dir() else "Give a folder of images, or a video file.",
        )
    return found.files, note
