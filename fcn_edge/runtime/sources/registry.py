"""SOURCE on the command line and in ``stream()``: where frames come from.

    0, /dev/video0                      a camera; v4l2:///dev/video0?size=720x1280&fps=30 with its options
    drive.mp4, photo.jpg, photos/       a video, an image, a folder of images; file:///... likewise
    synthetic://street?seed=3&size=480x640&frames=200&fps=25    a rendered drive with exact labels

A new kind is a ``Source`` and a line in ``OPENERS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.io.images import IMAGE_SUFFIXES
from fcn_edge.runtime.sources.base import Source
from fcn_edge.runtime.uri import Uri, frame_size_from_text

__all__ = ["OPENERS", "open_source"]

FIX = "Give a video file, an image, a folder of images, a camera such as 0, or synthetic://street."


def open_source(source: str | int | Path) -> Source:
    """Open what a text names.

    Args:
        source: A camera's number or device, a file, a folder, or ``scheme://place?key=value``.

    Returns:
        The source; close it, or use it in a ``with`` block.

    Raises:
        UsageError: The text makes no sense, or names a kind of source that this version does not read.
        SourceError: The source is missing, busy, empty or unreadable.
    """
    uri = Uri.parse(str(source))
    if uri.scheme not in OPENERS:
        raise UsageError(f"{uri.text} is of a kind that this version does not read ({uri.scheme}://).", FIX)
    return OPENERS[uri.scheme](uri)


def _open_plain(uri: Uri) -> Source:
    # /dev/shm holds files like any other folder
    camera = uri.place.isdecimal() or (uri.place.startswith("/dev/") and not uri.place.startswith("/dev/shm/"))
    return _open_camera(uri) if camera else _open_file(uri)


def _open_file(uri: Uri) -> Source:
    from fcn_edge.runtime.sources.images import ImageSource, images_of_folder
    from fcn_edge.runtime.sources.video import VideoSource

    uri.options({})
    path = Path(uri.place)
    try:
        there = bool(uri.place) and path.exists()
    except OSError as error:  # a folder on the way may not be entered, or the name is too long
        raise SourceError(f"{uri.place[:200]} cannot be read: {error.strerror}.", FIX) from error
    if not there:
        raise SourceError(f"There is no file or folder {uri.place!r}.", FIX)
    if path.is_dir():
        return ImageSource(images_of_folder(path), uri.text)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource([path], uri.text)
    return VideoSource(path, uri.text)


def _open_camera(uri: Uri) -> Source:
    from fcn_edge.runtime.sources.camera import CameraSource

    return CameraSource(uri.place, uri.text, **uri.options({"size": frame_size_from_text, "fps": _rate}))


def _open_synthetic(uri: Uri) -> Source:
    from fcn_edge.runtime.sources.street import StreetSource

    return StreetSource(uri.text)


def _rate(text: str) -> float:
    rate = float(text)
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError("a positive number of frames a second was expected")
    return rate


OPENERS: Mapping[str, Callable[[Uri], Source]] = {
    "": _open_plain,
    "file": _open_file,
    "v4l2": _open_camera,
    "synthetic": _open_synthetic,
}
"""What opens each scheme; the empty one is a plain path or number."""
