"""Video files."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.runtime.sources.base import FileConnection, Picture
from fcn_edge.runtime.sources.opencv import OpenCvReader
from fcn_edge.runtime.sources.playlists import refuse_playlist
from fcn_edge.runtime.sources.pyav import PyAvReader, has_pyav
from fcn_edge.runtime.uri import Uri

__all__ = ["VideoConnection"]

FEWEST_MISSING = 3
SHARE_MISSING = 0.03
"""Containers announce lengths that are a little off; beyond both of these a video counts as cut off."""


class VideoConnection(FileConnection):
    """Every frame of a video file, with the time that the file gives it.

    PyAV reads it, or OpenCV where that is absent: the same pixels and times, but OpenCV scales frames that change their
    size to that of the first. The length is what the container
    announces. Where clearly fewer frames come, reading raises after the last: the file is cut off. What is damaged
    before the end is skipped and, with PyAV, counted.

    Args:
        address: What the user called it.
        path: The file. Connecting raises SourceError when it is no video that can be read, is a playlist, or has no
            frames.
    """

    def __init__(self, address: Uri, path: Path) -> None:
        super().__init__(address)
        self._path = path
        self._reader: PyAvReader | OpenCvReader | None = None
        self._read = 0
        self._damaged = 0

    @property
    @override
    def damaged(self) -> int:
        return self._damaged if self._reader is None else self._reader.damaged

    @override
    def _open(self) -> None:
        refuse_playlist(self._path)
        shown = str(self._path)
        if has_pyav():
            self._reader = PyAvReader(
                self._path, shown, f"See what it holds with: ffprobe {shown}", lambda: self._interrupted
            )
        else:
            self._reader = OpenCvReader(self._path, shown)
        self.fps, self.length = self._reader.fps, self._reader.length
        self.files = frozenset({self._path.absolute()})

    @override
    def read_next(self) -> Picture | None:
        assert self._reader is not None
        read = self._reader.read()
        if read is None:
            self._check_whole()
            return None
        image, seconds = read
        self._read += 1
        return Picture(image, time=seconds)

    @override
    def close(self) -> None:
        # let go of at once, not when the garbage collector comes: a decoder takes megabytes
        reader, self._reader = self._reader, None
        if reader is not None:
            self._damaged = reader.damaged
            reader.close()
        super().close()

    def _check_whole(self) -> None:
        assert self._reader is not None
        if self.length is None or self.fps is None or self._interrupted:
            return
        # containers without a count announce seconds x a guess of the frame rate, so that the count alone may be
        # wrong by any factor; the time that was reached is then right
        slack = max(FEWEST_MISSING, SHARE_MISSING * self.length)
        if max(self._read, self._reader.reached * self.fps + 1) < self.length - slack:
            raise SourceError(
                f"{self._path} ends after {self._read} of {self.length} frames: the file is cut off or damaged.",
                "Copy it again; the frames before were processed.",
            )
