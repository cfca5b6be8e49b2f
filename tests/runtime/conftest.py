"""Small videos, images, sources and a model that tests of the runtime share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.backends.base import Timing
from fcn_edge.runtime.frame import Frame
from fcn_edge.runtime.result import Result
from fcn_edge.runtime.segmentation import Segmentation
from fcn_edge.runtime.sources import Picture, Source
from fcn_edge.testing.engine import fake_spec

Image = NDArray[np.uint8]
VIDEO_FRAMES = 20
CODECS = {".mp4": "mp4v", ".avi": "XVID", ".mkv": "mp4v"}


def gray(level: int, height: int = 48, width: int = 64) -> Image:
    return np.full((height, width, 3), level, np.uint8)


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


class ListedSource(Source):
    """A source of given images; an exception among them is raised. Remembers whether it was closed."""

    def __init__(self, images: Iterable[Image | Exception], live: bool = False) -> None:
        super().__init__("listed://")
        self.live = live
        self.closed = False
        self.given = 0
        self._images = iter(images)

    def read(self) -> Picture | None:
        item = next(self._images, None)
        if isinstance(item, Exception):
            raise item
        if item is None:
            return None
        self.given += 1
        return Picture(item)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def listed_source() -> type[ListedSource]:
    return ListedSource


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """A result of a gray image whose mask has the class 3 to the left and 0 to the right."""

    def make(index: int = 0, height: int = 48, width: int = 64, name: str = "") -> Result:
        image = gray(10 * index % 256, height, width)
        labels = np.zeros((height, width), np.uint8)
        labels[:, : width // 2] = 3
        frame = Frame(image, index, 0, name or f"{index:06d}")
        return Result(frame, Segmentation(image, labels, fake_spec(), Timing()), latency_ns=5_000_000)

    return make


@pytest.fixture
def no_thread_left() -> Iterable[None]:
    """Fails a test after which threads of a pipeline still run."""
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("fcn-edge")]
