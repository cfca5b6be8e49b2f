"""Small videos, images, sources and a model that tests of the runtime share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.runtime.sources import Connection, EndOfSource, Picture

from ..results import gray, make_result

__all__ = ["listed_source", "make_result", "no_thread_left", "video", "write_image", "write_video"]

Image = NDArray[np.uint8]
VIDEO_FRAMES = 20
CODECS = {".mp4": "mp4v", ".avi": "XVID", ".mkv": "mp4v"}


@pytest.fixture(scope="session")
def write_video() -> Callable[[Path, int], Path]:
    """Writes a 64x48 video at 12.5 frames a second whose frame ``i`` has the gray level ``10 * i``."""

    def write(path: Path, frames: int = VIDEO_FRAMES) -> Path:
        code = cv2.VideoWriter_fourcc(*CODECS[path.suffix])
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 12.5, (64, 48))
        assert writer.isOpened()
        for index in range(frames):
            writer.write(gray(10 * index % 256))
        writer.release()
        return path

    return write


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path], Path]) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "drive.mp4")


@pytest.fixture
def write_image() -> Callable[[Path, int], Path]:
    """Writes a 64x48 image of one gray level."""

    def write(path: Path, level: int = 100) -> Path:
        assert cv2.imwrite(str(path), gray(level))
        return path

    return write


class ListedSource(Connection):
    """A source of given images; an exception among them is raised. Remembers whether it was closed."""

    def __init__(self, images: Iterable[Image | Exception], live: bool = False) -> None:
        super().__init__("listed://")
        self.live = live
        self.closed = False
        self.given = 0
        self._images = iter(images)

    def _connect(self, timeout: float | None) -> None:
        pass

    def _next(self, timeout: float) -> Picture | None:
        item = next(self._images, None)
        if isinstance(item, Exception):
            raise item
        if item is None:
            raise EndOfSource
        self.given += 1
        return Picture(item)

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.fixture
def listed_source() -> type[ListedSource]:
    return ListedSource


@pytest.fixture
def no_thread_left() -> Iterable[None]:
    """Fails a test after which threads of a pipeline still run."""
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("fcn-edge")]
