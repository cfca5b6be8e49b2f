"""What gives frames: the base of all sources."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, override

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import SourceError
from fcn_edge.io.closeable import Closeable
from fcn_edge.runtime.frame import Frame

__all__ = ["FileSource", "Picture", "Source"]


class Picture(NamedTuple):
    """What a source reads: a frame before it is numbered.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR.
        name: What files made from it are called, without a suffix; by the frame's number when empty.
        labels: ``(H, W)`` uint8 true classes, where they are known.
    """

    image: NDArray[np.uint8]
    name: str = ""
    labels: NDArray[np.uint8] | None = None


class Source(Closeable):
    """An iterator of frames; a ``with`` block closes it.

    Attributes:
        uri: What it was opened by.
        live: Frames come when they come and old ones are worthless: a slow reader gets the newest.
        fps: Frames a second; None where there is no such thing.
        size: ``(height, width)`` of the first frame; None when unknown. Later frames may differ.
        length: How many frames there are, as far as the source knows; None when it does not.
        classes: Names of the classes in the frames' labels; empty where frames have none.
        files: The files that are read; nothing may write over them meanwhile.
    """

    live: bool = False

    def __init__(self, uri: str, *, fps: float | None = None, size: Size | None = None, length: int | None = None):
        self.uri = uri
        self.fps = fps
        self.size = size
        self.length = length
        self.classes: tuple[str, ...] = ()
        self.files: frozenset[Path] = frozenset()
        self._count = 0

    @abstractmethod
    def read(self) -> Picture | None:
        """The next picture, waiting for it; None at the end.

        Raises:
            SourceError: It is unreadable, or the source was lost.
        """

    def close(self) -> None:
        """Give back what the source holds."""

    def report(self) -> dict[str, Any]:
        """What the source says of itself in the JSON of ``run``."""
        return {
            "uri": self.uri,
            "live": self.live,
            "size": self.size,
            "fps": self.fps,
            "frames": self._count,
        }

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        picture = self.read()
        if picture is None:
            raise StopIteration
        captured_ns = time.monotonic_ns()
        index = self._count
        self._count += 1
        return Frame(picture.image, index, captured_ns, picture.name or f"{index:06d}", picture.labels)


class FileSource(Source):
    """A source on disk. Its first picture is read when it is opened: what is unreadable is known before anything runs.

    Raises:
        SourceError: There is no picture, or the first is unreadable.
    """

    def __init__(self, uri: str, *, fps: float | None = None, length: int | None = None):
        self._first = self.read_next()
        if self._first is None:
            raise SourceError(f"{uri} holds no frame that can be decoded.", f"See what it holds with: ffprobe {uri}")
        height, width = self._first.image.shape[:2]
        super().__init__(uri, fps=fps, size=(height, width), length=length)

    @override
    def read(self) -> Picture | None:
        first, self._first = self._first, None
        return self.read_next() if first is None else first

    @abstractmethod
    def read_next(self) -> Picture | None:
        """The next picture on disk; None at the end.

        Raises:
            SourceError: It is unreadable.
        """
