"""The frames that rows are timed with: read once, kept in a file that every measuring process maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fcn_edge.errors import SourceError, UsageError
from fcn_edge.io.files import replacing
from fcn_edge.runtime.sources import open_source

__all__ = ["frames_of", "write_frames"]


def frames_of(source: str, count: int) -> NDArray[np.uint8]:
    """The first frames of a source, ``(N, H, W, 3)`` uint8 BGR: as many as there are, ``count`` at most.

    Raises:
        UsageError: It is a live source, whose frames are never the same again.
        SourceError: The source cannot be read, or its frames differ in size.
    """
    images: list[NDArray[np.uint8]] = []
    with open_source(source) as connection:
        name = connection.id
        if connection.live:
            raise UsageError(
                f"{name} is live: no other run could be measured with its frames.",
                "Record a video, and give that as the source.",
            )
        for frame in connection:
            image = np.array(frame.image)
            if images and image.shape != images[0].shape:
                sizes = " and ".join(f"{one.shape[0]}x{one.shape[1]}" for one in (images[0], image))
                raise SourceError(
                    f"The frames of {name} differ in size ({sizes}); frames of one size were expected.",
                    "Give a video, or a folder of images of one size.",
                )
            images.append(image)
            if len(images) == count:
                break
    if not images:
        raise SourceError(f"{name} has no frames.", "Give a video, or a folder of images.")
    return np.stack(images)


def write_frames(path: Path, frames: NDArray[np.uint8]) -> None:
    """Write frames for other processes to map.

    Raises:
        UsageError: The directory does not exist or may not be written.
        MachineError: The disk is full.
    """
    with replacing(path) as temporary, temporary.open("wb", buffering=0) as file:
        # np.save's own error of a full disk does not say that it is one
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(frames))
        file.write(np.ascontiguousarray(frames).data.cast("B"))
