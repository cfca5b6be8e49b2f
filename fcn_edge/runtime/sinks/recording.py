"""The file or files of one video sink."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import FcnEdgeError
from fcn_edge.metrics.durations import NS_PER_S
from fcn_edge.runtime.sinks.encoded import EncodedWriter
from fcn_edge.runtime.sinks.encoders.base import Encoder, EncoderError
from fcn_edge.runtime.sinks.encoders.choice import Choice
from fcn_edge.runtime.sinks.mpeg4 import Mpeg4Writer
from fcn_edge.runtime.sinks.segments import Segments
from fcn_edge.runtime.sinks.video_writer import VideoTarget, VideoWriter, even, fitted

__all__ = ["Recording", "unshared"]

_LOG = logging.getLogger(__name__)


def unshared(encoder: Encoder) -> Encoder:
    """The encoder itself, whose packets nobody else gets."""
    return encoder


class Recording:
    """Frames into one file, or into a series of them, each of the size of its first frame. For one thread.

    Where an encoder fails that has a spare one, that one goes on: in the next file of a series, or in the same one
    where nothing is in it yet.

    Args:
        path: The file, or what a series is called after.
        fps: Frames a second, as far as anybody knows.
        endless: Nobody knows how long it gets.
        choice: What encodes; MPEG-4 is written when None.
        segments: The series; one file when None.
        seconds: Length of each file of the series.
        shared: Makes of an encoder one whose packets others get too.

    Attributes:
        files: The files that were made, in order.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        endless: bool,
        choice: Choice | None,
        segments: Segments | None = None,
        seconds: float | None = None,
        shared: Callable[[Encoder], Encoder] = unshared,
    ) -> None:
        self.files: list[Path] = []
        self._path = path
        self._fps = fps
        self._endless = endless
        self._segments = segments
        self._length_ns = None if seconds is None else round(seconds * NS_PER_S)
        self._shared = shared
        self._encoder = None if choice is None else shared(choice.make())
        self._spare = None if choice is None else choice.spare
        self._writer: VideoWriter | None = None
        self._place = path
        self._size = (0, 0)
        self._start_ns = 0

    @property
    def encoder(self) -> str:
        """What encodes now."""
        return "of MPEG-4" if self._encoder is None else self._encoder.name

    def write(self, image: NDArray[np.uint8], time_ns: int, again: bool = False) -> None:
        """Take one frame.

        Args:
            image: ``(H, W, 3)`` uint8 BGR.
            time_ns: When it is shown, from the first frame on.
            again: It is the same picture as the one before, and is to take no room.

        Raises:
            MachineError: The disk is full, or the file cannot be written for another reason.
        """
        try:
            self._write(image, time_ns, again)
        except EncoderError as error:
            if self._spare is None or (self._segments is None and self._path.exists()):
                raise
            self._take_spare(self._spare)
            _LOG.warning("%s %s goes on.", error.message, self.encoder)
            self._write(image, time_ns, again)

    def close(self) -> None:
        """Complete the file that is being written, and let the encoder go."""
        try:
            self._complete()
        finally:
            if self._encoder is not None:
                self._encoder.close()

    def give_up(self) -> None:
        """Close what is open, after an error."""
        with suppress(FcnEdgeError):
            self.close()

    def _write(self, image: NDArray[np.uint8], time_ns: int, again: bool) -> None:
        if self._writer is not None and self._is_over(self._writer, time_ns):
            self._complete()
        if self._writer is None:
            self._size = even(*image.shape[:2])
            self._start_ns = time_ns
            self._writer = self._opened()
        self._writer.write(fitted(image, self._size), time_ns - self._start_ns, again)

    def _complete(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            self._note_file()

    def _take_spare(self, spare: Callable[[], Encoder]) -> None:
        """Leave the file that the encoder failed in as it is, and the encoder."""
        assert self._encoder is not None
        self._writer = None
        self._encoder.close()
        self._encoder, self._spare = self._shared(spare()), None

    def _is_over(self, writer: VideoWriter, time_ns: int) -> bool:
        if self._segments is None:
            return False
        by_time = self._length_ns is not None and time_ns - self._start_ns >= self._length_ns
        return by_time or self._segments.is_large(writer.bytes)

    def _opened(self) -> VideoWriter:
        if self._segments is None:
            target = VideoTarget(self._path, self._size, self._fps, endless=self._endless, start_ns=self._start_ns)
        else:
            path, make_room = self._segments.next_path(), self._segments.make_room
            target = VideoTarget(path, self._size, self._fps, new=True, make_room=make_room, start_ns=self._start_ns)
        self._place = target.path
        if self._encoder is None:
            return _mpeg4(target)  # it has its name only when it is whole
        writer = EncodedWriter(target, self._encoder)
        self._note_file()
        return writer

    def _note_file(self) -> None:
        if self._place not in self.files[-1:]:
            self.files.append(self._place)


def _mpeg4(target: VideoTarget) -> VideoWriter:
    _say_that_it_is_mpeg4()
    return Mpeg4Writer(target)


@cache
def _say_that_it_is_mpeg4() -> None:
    _LOG.warning(
        "Videos are written in MPEG-4, which browsers do not play, because PyAV with libx264 is not installed. "
        "For H.264: pip install 'fcn_edge[streams]'."
    )
