"""The frames that rows are timed with: read once, kept in a file that every measuring process maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import SourceError
from fcn_edge.io.files import replacing
from fcn_edge.runtime.sources import open_source

__all__ = ["frames_of", "write_frames"]


def frames_of(source: str, count: int) -> NDArray[np.uint8]:
    """The first frames of a source, ``(N, H, W, 3)`` uint8 BGR: as many as there are, ``count`` at most.

    Raises:
        SourceError: The source cannot be read, or its frames differ in size.
    """
    images = []
    with open_source(source) as connection:
        for frame in connection:
            images.append(np.array(frame.image))
            if len(images) == count:
                break
    if len({image.shape for image in images}) != 1:
        raise SourceError(
            f"The frames of {source} differ in size, or there are none; frames of one size were expected.",
            "Give a video, or a folder of images of one size.",
        )
    return np.stack(images)


def write_frames(path: Path, frames: NDArray[np.uint8]) -> None:
    """Write frames for other processes to map.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, frames, allow_pickle=False)
