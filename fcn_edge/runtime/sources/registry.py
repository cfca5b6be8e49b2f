"""Which kinds of sources there are, and what connects to each.

A new kind is a ``Connection`` and a line in ``OPENERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from fcn_edge.errors import DatasetError, SourceError, UsageError
from fcn_edge.io.images import is_picture
from fcn_edge.runtime.sources.base import Connection
from fcn_edge.runtime.sources.options import (
    CAMERA_OPTIONS,
    COMMON_OPTIONS,
    CSI_OPTIONS,
    FILE_OPTIONS,
    GSTREAMER_OPTIONS,
    HTTP_OPTIONS,
    OPTIONS,
    PIPE_OPTIONS,
    RTSP_OPTIONS,
)
from fcn_edge.runtime.uri import Uri

__all__ = ["OPENERS", "OPTIONS", "SourceAddress", "open_source"]

STANDARD_INPUT = frozenset({"-", "/dev/stdin"})

FIX = "Give a video, an image, a folder, a camera such as 0 or csi://0, rtsp://..., http://..., or synthetic://street."


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
        # a board turns its camera's pictures for nothing; a part of them is cut out before
        left = {"flip"} if self.scheme == "csi" and "roi" not in self.options else set()
        common = {key: value for key, value in self.options.items() if key in COMMON_OPTIONS.keys() - left}
        own = {key: value for key, value in self.options.items() if key not in common}
        changes = replace(self, options=common).read_options({})
        changes.pop("name", None)  # for who runs several
        connection = opener(replace(self, options=own))
        if not changes:
            return connection
        from fcn_edge.runtime.sources.transformed import TransformedConnection

        return TransformedConnection(connection, **changes)

    @override
    def read_options(self, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """The values of our options, read: those of one kind of source, and those that every kind has."""
        return super().read_options({**readers, **COMMON_OPTIONS})

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
    place = address.place
    if place in STANDARD_INPUT:
        return _pipe(address)
    if _is_pipe(place):
        return _pipe(address, Path(place))
    return _camera(address) if place.isdecimal() or _is_device(place) else _file(address)


def _is_device(place: str) -> bool:
    """A device, or the name of one that is not here. /dev/shm holds files, and /dev/fd what a shell has opened."""
    if not place.startswith("/dev/") or place.startswith(("/dev/shm/", "/dev/fd/")):
        return False
    path = Path(place)
    try:
        return not (path.is_file() or path.is_dir())
    except OSError:  # what is wrong with it, _file says
        return False


def _file(address: SourceAddress) -> Connection:
    path = Path(address.place)
    try:
        there = bool(address.place) and path.exists()
    except OSError as error:  # a folder on the way may not be entered, or the name is too long
        # not chained: the system's error shows the name, which may be a mistyped address with its password
        raise SourceError(f"{address.text[:200]} cannot be read: {error.strerror}.", FIX) from None
    if not there:
        raise SourceError(f"There is no file or folder {address.text!r}.", FIX)
    return _pipe(address, path) if path.is_fifo() else _played(address, path)


def _is_pipe(place: str) -> bool:
    """A named pipe, also one of a shell's ``<(...)``, which lies in /dev/fd."""
    try:
        return Path(place).is_fifo()
    except OSError:  # what is wrong with it, _file says
        return False


def _played(address: SourceAddress, path: Path) -> Connection:
    from fcn_edge.runtime.sources.images import ImageConnection
    from fcn_edge.runtime.sources.looped import LoopedConnection
    from fcn_edge.runtime.sources.video import VideoConnection

    options = address.read_options(FILE_OPTIONS)
    try:
        images = path.is_dir() or is_picture(path)
    except DatasetError as error:
        raise SourceError(error.message, error.fix) from error
    bits = options.get("bits", 0)
    if bits and not images:
        raise UsageError("The option bits is for images, and SOURCE is a video.", "Leave it out.")

    told: set[str] = set()

    def opened() -> Connection:
        return ImageConnection(address, path, bits, told) if images else VideoConnection(address, path)

    times = options.get("loop", 1)
    return _rated(opened() if times == 1 else LoopedConnection(opened, times), options.get("fps"))


def _pipe(address: SourceAddress, path: Path | None = None) -> Connection:
    from fcn_edge.runtime.sources.pipe import TIMEOUT, PipeConnection

    options = address.read_options(PIPE_OPTIONS)
    return _rated(PipeConnection(address, path, options.get("timeout", TIMEOUT)), options.get("fps"))


def _rated(connection: Connection, fps: float | None) -> Connection:
    from fcn_edge.runtime.sources.rated import RatedConnection

    return connection if fps is None else RatedConnection(connection, fps)


def _camera(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.camera import CameraConnection

    return CameraConnection(address, address.place, **address.read_options(CAMERA_OPTIONS))


def _csi(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.gstreamer import gstreamer_csi

    return gstreamer_csi(address, **address.read_options(CSI_OPTIONS))


def _gst(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.gstreamer import gstreamer_text

    return gstreamer_text(address)


def _rtsp(address: SourceAddress) -> Connection:
    if "decoder" in address.options:
        from fcn_edge.runtime.sources.gstreamer import gstreamer_rtsp

        return gstreamer_rtsp(address, **address.read_options(GSTREAMER_OPTIONS))
    from fcn_edge.runtime.sources.rtsp import RtspConnection

    return RtspConnection(address, **address.read_options(RTSP_OPTIONS))


def _http(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.http import HttpConnection

    return HttpConnection(address, **address.read_options(HTTP_OPTIONS))


def _synthetic(address: SourceAddress) -> Connection:
    from fcn_edge.runtime.sources.street import StreetConnection

    return StreetConnection(address)


OPENERS: Mapping[str, Callable[[SourceAddress], Connection]] = {
    "": _plain,
    "file": _file,
    "v4l2": _camera,
    "csi": _csi,
    "gst": _gst,
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "http": _http,
    "https": _http,
    "synthetic": _synthetic,
}
"""What makes a connection for each scheme; the empty one is a plain path or number."""
