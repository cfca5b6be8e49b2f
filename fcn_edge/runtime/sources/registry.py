"""Which kinds of sources there are, and what connects to each.

A new kind is a ``Connection`` and a line in ``OPENERS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.io.images import IMAGE_SUFFIXES
from fcn_edge.runtime.sources.base import Connection
from fcn_edge.runtime.uri import Uri, frame_size_from_text

__all__ = ["OPENERS", "OPTIONS", "SourceAddress", "open_source"]

FIX = "Give a video file, an image, a folder of images, a camera such as 0, or synthetic://street."


class SourceAddress(Uri):
    """What names a source: ``SourceAddress.of("/dev/video0#size=720x1280")``. Printing it never shows a password."""

    @classmethod
    def of(cls, source: str | int | Path) -> SourceAddress:
        """The address of a text, a path or a camera's number; touches nothing but the names of files.

        Raises:
            UsageError: An option is given twice.
        """
        return cls.parse(str(source), OPTIONS)

    def connection(self) -> Connection:
        """A connection to the source, which is not connected yet.

        Raises:
            UsageError: The address makes no sense, or names a kind of source that this version does not read.
            SourceError: There is no such file.
        """
        opener = OPENERS.get(self.scheme)
        if opener is None:
            raise UsageError(f"{self} is of a kind that this version does not read ({self.scheme}://).", FIX)
        return opener(self)

    def open(self, timeout: float | None = None) -> Connection:
        """A connection to the source, connected; close it, or use it in a ``with`` block.

        Args:
            timeout: Seconds to wait at most, where the source can take long; its own default when left out.

        Raises:
            UsageError: The address makes no sense, or names a kind of source that this version does not read.
            SourceError: The source is missing, busy, empty or unreadable, or did not answer in time.
        """
        connection = self.connection()
        connection.connect(timeout)
        return connection


def open_source(source: str | int | Path) -> Connection:
    """Open what a text names: ``SourceAddress.of(source).open()``.

    Args:
        source: A camera's number or device, a file, a folder, or an address; our options behind ``#``.

    Raises:
        UsageError: The text makes no sense, or names a kind of source that this version does not read.
        SourceError: The source is missing, busy, empty or unreadable.
    """
    return SourceAddress.of(source).open()


def _plain(address: SourceAddress) -> Connection:
    # /dev/shm holds files like any other folder
    place = address.place
    camera = place.isdecimal() or (place.startswith("/dev/") and not place.startswith("/dev/shm/"))
    return _camera(address) if camera else _file(address)


def _file(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.images import ImageConnection
    from fcn_edge.runtime.sources.video import VideoConnection

    address.read_options({})
    path = Path(address.place)
    try:
        there = bool(address.place) and path.exists()
    except OSError as error:  # a folder on the way may not be entered, or the name is too long
        # not chained: the system's error shows the name, which may be a mistyped address with its password
        raise SourceError(f"{address.text[:200]} cannot be read: {error.strerror}.", FIX) from None
    if not there:
        raise SourceError(f"There is no file or folder {address.text!r}.", FIX)
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageConnection(address, path)
    return VideoConnection(address, path)


def _camera(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.camera import CameraConnection

    return CameraConnection(address, address.place, **address.read_options(CAMERA_OPTIONS))


def _synthetic(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.street import StreetConnection

    return StreetConnection(address)


def _rate(text: str) -> float:
    expected = ValueError("a positive number of frames a second was expected")
    try:
        rate = float(text)
    except ValueError:
        raise expected from None
    if not (rate > 0 and math.isfinite(rate)):
        raise expected
    return rate


CAMERA_OPTIONS = {"size": frame_size_from_text, "fps": _rate}

OPTIONS = frozenset({"fps", "frames", "seed", "size"})
"""Our options of all kinds of sources: what is taken for one behind ``#``."""

OPENERS: Mapping[str, Callable[[SourceAddress], Connection]] = {
    "": _plain,
    "file": _file,
    "v4l2": _camera,
    "synthetic": _synthetic,
}
"""What makes a connection for each scheme; the empty one is a plain path or number."""
