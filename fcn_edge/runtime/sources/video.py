"""Video files."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from typing_extensions import override

from fcn_edge.errors import SourceError
from fcn_edge.runtime.sources.base import FileConnection, Picture
from fcn_edge.runtime.sources.mp4_tables import refuse_endless_tables
from fcn_edge.runtime.sources.opencv import OpenCvReader
from fcn_edge.runtime.sources.playlists import refuse_playlist
from fcn_edge.runtime.sources.pyav import PyAvReader, has_pyav
from fcn_edge.runtime.sources.wholeness import runs_past_end
from fcn_edge.runtime.uri import Uri
from fcn_edge.text import quoted

__all__ = ["VideoConnection"]

_LOG = logging.getLogger(__name__)

FEWEST_MISSING = 3
SHARE_MISSING = 0.03
"""Containers announce lengths that are a little off; beyond both of these a video counts as cut off."""


class VideoConnection(FileConnection):
    """Every frame of a video file, with the time that the file gives it.

    PyAV reads it, or OpenCV where that is absent: the same pixels and times, but OpenCV scales frames that change their
    size to that of the first. The length is what the container announces. Where the file is known to be cut off,
    reading raises after the last frame. What is damaged before the end is skipped and, with PyAV, counted.

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
        self._last = self._longest = 0.0
        self._damaged = 0

    @property
    @override
    def damaged(self) -> int:
        return self._damaged if self._reader is None else self._reader.damaged

    @override
    def _open(self) -> None:
        refuse_playlist(self._path)
        refuse_endless_tables(self._path)
        shown = str(self._path)
        if has_pyav():
            self._reader = PyAvReader(
                self._path, shown, f"See what it holds with: ffprobe {quoted(self._path)}", lambda: self._interrupted
            )
        else:
            self._reader = OpenCvReader(self._path, shown)
        self.fps, self.peak_fps, self.length = self._reader.fps, self._reader.peak_fps, self._reader.length
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
        if seconds is not None:
            self._longest = max(self._longest, seconds - self._last)
            self._last = seconds
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
        """Say where the file ended early: an error where that is known, a note where only its header's guess says so.

        Containers without a count announce seconds times a guess of the frame rate, the seconds may be another
        stream's, and of a trimmed file the count is that of the frames before: a file that plays to its end is whole.
        """
        assert self._reader is not None
        if self._interrupted:
            return
        missing = self._missing()
        short = self.length is not None and missing > max(FEWEST_MISSING, SHARE_MISSING * self.length)
        try:
            ends_early = runs_past_end(self._path)
        except OSError:  # it was moved or removed while it was played
            ends_early = False
        if (missing and ends_early) or (short and (self._reader.broke_off or self._reader.damaged_end)):
            of = "" if self.length is None else f" of {self.length}"
            raise SourceError(
                f"{self._path} ends after {self._read}{of} frames: the file is cut off or damaged.",
                "Copy it again; the frames before were processed.",
            )
        if ends_early:
            _LOG.warning("%s lacks its end. All %d frames that it has were processed.", self._path, self._read)
        elif short:
            _LOG.warning(
                "%s announces about %s frames and plays %s to its end. It is taken as whole; a file that was cut off "
                "may look like this too.",
                *(self._path, self.length, self._read),
            )

    def _missing(self) -> float:
        """Frames that were announced and did not come; without end where nothing was announced."""
        assert self._reader is not None
        if self.length is None:
            return math.inf
        # the time that was reached is right where the rate is not, and a variable one may have a last long frame
        reached = 0.0 if self.fps is None else (self._reader.reached + self._longest) * self.fps
        return max(self.length - max(self._read, reached), 0)
