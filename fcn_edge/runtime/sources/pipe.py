"""Standard input and named pipes: a video stream that another program writes."""

from __future__ import annotations

import os
import queue
import select
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import SourceError
from fcn_edge.runtime.channel import Channel
from fcn_edge.runtime.sources.base import SLICE, Connection, Picture, next_picture
from fcn_edge.runtime.sources.pyav import PyAvReader
from fcn_edge.runtime.uri import Uri
from fcn_edge.runtime.waiting import item_within

__all__ = ["PipeConnection"]

TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0
"""Seconds that closing waits for the thread, which ends after the frame that it decodes."""
STANDARD_INPUT = 0
FIX = "Send one that needs no seeking: ffmpeg -i drive.mp4 -c copy -f mpegts - | fcn-edge run MODEL -"
AHEAD = 2
"""Frames that are decoded before they are read."""


class PipeConnection(Connection):
    """Every frame of a video that comes through a pipe, in any container that needs no seeking.

    MPEG-TS, Matroska, fragmented MP4, AVI, MJPEG, Y4M and raw H.264 are such; an MP4 with its index at the end is not,
    unless standard input is a file. The writer waits while the frames are worked on.

    Args:
        address: What the user called it.
        path: The named pipe; standard input when None. Connecting raises SourceError when nothing comes through it,
            or no video that FFmpeg can read.
        timeout: Seconds without a byte after which the source is lost.
    """

    def __init__(self, address: Uri, path: Path | None, timeout: float = TIMEOUT) -> None:
        super().__init__(address)
        self._path = path
        self._shown = "Standard input" if path is None else f"The pipe {address.text}"
        self._timeout = timeout
        self._pictures: Channel[Picture] = Channel(AHEAD)
        self._connected: queue.SimpleQueue[tuple[Size, float | None] | Exception] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._reader: PyAvReader | None = None
        self._thread = threading.Thread(target=self._run, name="fcn-edge pipe", daemon=True)

    @property
    @override
    def damaged(self) -> int:
        return 0 if self._reader is None else self._reader.damaged

    @override
    def _connect(self, timeout: float | None) -> None:
        self._thread.start()
        until = None if timeout is None else time.monotonic() + timeout
        while not self._interrupted and (until is None or time.monotonic() < until):
            with suppress(queue.Empty):
                answer = item_within(self._connected, SLICE)
                if self._interrupted:  # it sees an end then, which is no failure of the source
                    break
                if isinstance(answer, Exception):
                    raise answer
                self.size, self.fps = answer
                return
        if self._interrupted:
            raise SourceError(f"Opening {self.id} was interrupted.")
        raise SourceError(f"{self._shown} gave no frame within {timeout:g} s.", "Check the program that writes to it.")

    @override
    def _next(self, timeout: float) -> Picture | None:
        return next_picture(self._pictures, timeout)

    @override
    def interrupt(self) -> None:
        super().interrupt()
        self._stop.set()

    @override
    def close(self) -> None:
        self._stop.set()
        self._pictures.stop()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_TIMEOUT)
        super().close()

    def _run(self) -> None:
        """The thread: open, decode until nobody wants more, close."""
        stream: _Descriptor | None = None
        try:
            stream = _Descriptor(self._path, self._shown, self._timeout, self._stop)
            self._decode(stream)
            self._pictures.end()
        except Exception as error:
            answer = error if stream is None else stream.failure or error
            self._connected.put(answer)
            self._pictures.end(answer)
        finally:
            if self._reader is not None:
                self._reader.close()
            if stream is not None:
                stream.close()

    def _decode(self, stream: _Descriptor) -> None:
        reader = self._reader = PyAvReader(stream, self._shown, FIX, self._stop.is_set)
        first = True
        while (read := reader.read()) is not None:
            image, seconds = read
            if first:
                self._connected.put(((image.shape[0], image.shape[1]), reader.fps))
                first = False
            if not self._pictures.put(Picture(image, time=seconds)):
                return
        if stream.failure is not None:
            raise stream.failure
        if first:
            raise SourceError(
                f"{self._shown} holds no frame that can be decoded.", "Check the program that writes to it."
            )


class _Descriptor:
    """What comes through a file descriptor, read in slices, so that a silent writer keeps nobody waiting.

    Args:
        path: A named pipe; standard input when None.
        shown: What messages call it.
        timeout: Seconds without a byte after which it has failed.
        stop: Ends it.

    Attributes:
        failure: Why it ended early, or that it held nothing; None else. FFmpeg sees an end in any case.

    Raises:
        SourceError: There is no such thing, or it is a terminal.
    """

    name = "pipe"

    def __init__(self, path: Path | None, shown: str, timeout: float, stop: threading.Event) -> None:
        self._shown = shown
        self._timeout = timeout
        self._stop = stop
        self._received = 0
        self.failure: SourceError | None = None
        try:
            # without a writer yet, an open that blocks would wait for one
            self._number = STANDARD_INPUT if path is None else os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            kind = os.fstat(self._number).st_mode
        except OSError as error:
            raise SourceError(f"{shown} cannot be read: {error.strerror}.", "Check its permissions.") from None
        self._owned = path is not None
        self._is_file = stat.S_ISREG(kind)
        if stat.S_ISCHR(kind) and os.isatty(self._number):
            self.close()
            raise SourceError(f"{shown} is a terminal; a video was expected.", "Write: cat drive.ts | fcn-edge run ...")
        self._poll = select.poll()
        self._poll.register(self._number, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, waiting for the first of them; none at the end, and when it was stopped or failed."""
        until = time.monotonic() + self._timeout
        while not self._stop.is_set() and self.failure is None:
            ready = self._poll.poll(SLICE * 1000)
            if ready and (content := self._received_bytes(size)) is not None:
                return content
            if time.monotonic() >= until:
                self.failure = SourceError(
                    f"{self._shown} gave nothing for {self._timeout:g} s.",
                    "Check the program that writes to it, or allow more: #timeout=SECONDS.",
                )
        return b""

    def seekable(self) -> bool:
        """It is a file that was redirected."""
        return self._is_file

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte of a file."""
        return os.lseek(self._number, offset, whence)

    def tell(self) -> int:
        """The byte of the file that is read next."""
        return os.lseek(self._number, 0, os.SEEK_CUR)

    def close(self) -> None:
        """Give the pipe back; standard input stays as it is."""
        if self._owned:
            os.close(self._number)

    def _received_bytes(self, size: int) -> bytes | None:
        try:
            content = os.read(self._number, size)
        except BlockingIOError:  # another reader was faster
            return None
        except OSError as error:
            self.failure = SourceError(f"{self._shown} cannot be read: {error.strerror}.")
            return b""
        self._received += len(content)
        if not self._received:
            self.failure = SourceError(
                f"{self._shown} is empty: it ended before the first byte.", "Check the program that writes to it."
            )
        return content
