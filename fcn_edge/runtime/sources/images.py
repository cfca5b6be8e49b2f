"""An image file, or a folder of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from fcn_edge.errors import DatasetError, SourceError
from fcn_edge.io.images import IMAGE_SUFFIXES, read_image
from fcn_edge.runtime.sources.base import FileConnection, Picture
from fcn_edge.runtime.uri import Uri

__all__ = ["ImageConnection", "images_of_folder"]

_LOG = logging.getLogger(__name__)

FEW = 3
"""Names in the error at the end; each was told when its turn came."""


class ImageConnection(FileConnection):
    """Image files, one frame each, named after the file.

    An unreadable one in a folder keeps none of the others back: it is named, left out and counted in ``damaged``, and
    reading raises SourceError once all others were read.

    Args:
        address: What the user called them.
        path: An image, or a folder of them. Connecting raises SourceError when it holds none that OpenCV can read.
    """

    def __init__(self, address: Uri, path: Path) -> None:
        super().__init__(address)
        self._path = path
        self._named: Iterator[tuple[Path, str]] = iter(())
        self._unreadable: list[str] = []

    @property
    @override
    def damaged(self) -> int:
        """Files that could not be read."""
        return len(self._unreadable)

    @override
    def _open(self) -> None:
        paths = images_of_folder(self._path) if self._path.is_dir() else [self._path]
        stems = Counter(path.stem for path in paths)
        # a.jpg and a.png must not write the same mask
        self._named = iter([(path, path.stem if stems[path.stem] == 1 else path.name) for path in paths])
        self.length = len(paths)
        self.files = frozenset(path.resolve() for path in paths)

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
            return Picture(read_image(path), name)
        except DatasetError as error:
            if path == self._path:
                raise SourceError(error.message, error.fix) from error
            self._unreadable.append(path.name)
            _LOG.warning("%s It is left out.", error.message)
            return None

    def _raise_for_unreadable(self) -> None:
        names = self._unreadable
        if names:
            more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
            raise SourceError(
                f"{len(names)} of {self.length} images of {self._path} cannot be read: {', '.join(names[:FEW])}{more}.",
                "Replace or remove them. All others were processed.",
            )


def images_of_folder(folder: Path) -> list[Path]:
    """The image files of a folder, sorted by name; its own folders and hidden files are left out.

    Raises:
        SourceError: It cannot be read, or holds no image.
    """
    try:
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if not paths:
        inside = folder / "images"
        raise SourceError(
            f"The folder {folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))}).",
            f"Give {inside}." if inside.is_dir() else "Give a folder of images, or a video file.",
        )
    return paths
