"""An image file, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from fcn_edge.errors import DatasetError, SourceError
from fcn_edge.io.images import IMAGE_SUFFIXES, read_image
from fcn_edge.io.names import names_of_files
from fcn_edge.runtime.sources.base import FileConnection, Picture
from fcn_edge.runtime.uri import Uri

__all__ = ["ImageConnection", "images_of_folder"]


class ImageConnection(FileConnection):
    """Image files, one frame each, named after the file.

    Args:
        address: What the user called them.
        path: An image, or a folder of them. Connecting raises SourceError when the folder holds none or the first is
            no image that OpenCV can read; a later one raises when it is read.
    """

    def __init__(self, address: Uri, path: Path) -> None:
        super().__init__(address)
        self._path = path
        self._named: Iterator[tuple[Path, str]] = iter(())

    @override
    def _open(self) -> None:
        paths = images_of_folder(self._path) if self._path.is_dir() else [self._path]
        # a.jpg and a.png must not write the same mask
        self._named = iter(list(zip(paths, names_of_files(paths), strict=True)))
        self.length = len(paths)
        self.files = frozenset(path.absolute() for path in paths)

    @override
    def read_next(self) -> Picture | None:
        path, name = next(self._named, (None, ""))
        if path is None:
            return None
        try:
            return Picture(read_image(path), name)
        except DatasetError as error:
            raise SourceError(error.message, error.fix) from error


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
