"""One video file that is being written: the base of all writers, and what makes a frame fit."""

from __future__ import annotations

import errno
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import MachineError
from fcn_edge.io.closeable import Closeable
from fcn_edge.io.machine import machine_fault
from fcn_edge.io.opencv import cv2

__all__ = ["VideoTarget", "VideoWriter", "disk_full", "even", "fitted", "write_fault"]


def _any_room(_growth: int) -> None:
    pass


@dataclass(frozen=True)
class VideoTarget:
    """What a writer is to make.

    Attributes:
        path: The file; its suffix chooses the container.
        size: ``(height, width)`` of the video, both even.
        fps: Frames a second, as far as anybody knows: how long the last frame is shown.
        new: There must be no file of that name yet.
        endless: Nobody knows how long it gets: memory must not grow with it.
        make_room: Called with the number of bytes by which the file is about to grow.
        start_ns: When it begins, in nanoseconds from the beginning of its series.
    """

    path: Path
    size: Size
    fps: float
    new: bool = False
    endless: bool = False
    make_room: Callable[[int], None] = _any_room
    start_ns: int = 0


class VideoWriter(Closeable):
    """Takes the frames of one video file, in order."""

    @abstractmethod
    def write(self, image: NDArray[np.uint8], time_ns: int, again: bool = False) -> None:
        """Take one frame.

        Args:
            image: ``(H, W, 3)`` uint8 BGR of the video's size.
            time_ns: Nanoseconds since the first frame of the file; greater than that of the frame before.
            again: It is the same picture as the one before, and is to take no room.

        Raises:
            MachineError: The disk is full, or the file cannot be written for another reason.
        """

    @property
    @abstractmethod
    def bytes(self) -> int:
        """How large the file is."""


def disk_full(path: Path) -> MachineError:
    """The error of a video whose disk is full."""
    return MachineError(f"The disk of {path} is full.", "Free some space, or write elsewhere.")


def write_fault(path: Path, error: OSError) -> MachineError:
    """The error of a video that the system does not take."""
    if error.errno == errno.EFBIG:
        return MachineError(
            f"The video {path} became larger than its file system or a limit allows (FAT takes 4 GB).",
            "Write it in pieces, such as with --segment 10m, or where larger files are taken, such as ext4.",
        )
    return machine_fault(error, path) or MachineError(
        f"The video {path} cannot be written: {error.strerror}.", "Check the disk, or write elsewhere."
    )


def even(height: int, width: int) -> Size:
    """The next size up that the codecs take: they halve the color planes."""
    return height + height % 2, width + width % 2


def fitted(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """The image in a canvas of ``size``: as it is where it fits but for an odd side, else scaled with black around."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    border = cv2().BORDER_REPLICATE
    if even(height, width) != size:
        scale = min(size[0] / height, size[1] / width)
        height, width = max(round(height * scale), 1), max(round(width * scale), 1)
        image = cv2().resize(image, (width, height), interpolation=cv2().INTER_AREA)
        border = cv2().BORDER_CONSTANT
    canvas: NDArray[np.uint8] = cv2().copyMakeBorder(image, 0, size[0] - height, 0, size[1] - width, border)
    return canvas
