"""A frame to the network's input: crop, resize, fill. Normalization is part of the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.errors import FrameError
from fcn_edge.io.opencv import cv2
from fcn_edge.ops.geometry import Placement

__all__ = ["checked_frame", "network_input", "thinned_size"]


def checked_frame(frame: Any) -> NDArray[np.uint8]:
    """The frame itself when it is one.

    Raises:
        FrameError: It is not a ``(H, W, 3)`` uint8 array with at least one pixel.
    """
    if not isinstance(frame, np.ndarray):
        raise FrameError(
            f"A frame is a (H, W, 3) uint8 BGR array, not {type(frame).__name__}.",
            "Convert it with numpy.asarray, or read the image with cv2.imread.",
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise FrameError(
            f"A frame is a (H, W, 3) uint8 BGR array, not {frame.shape} {frame.dtype}.",
            "Gray images: cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR); floats of 0 to 1: multiply by 255 first.",
        )
    return frame


def network_input(
    frame: NDArray[np.uint8],
    place: Placement,
    fill: tuple[int, int, int],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """The network's input for a frame.

    Args:
        frame: ``(H, W, 3)`` uint8 BGR, of ``place.frame_size``.
        place: Where the frame goes.
        fill: BGR color of the rest, the spec's ``fill_bgr``.
        out: Array to write into, ``(*place.network_size, 3)`` uint8, contiguous; a new one when left out.

    Returns:
        ``(*place.network_size, 3)`` uint8 BGR, contiguous.

    Raises:
        FrameError: The frame is not of the size that ``place`` was made for.
    """
    if frame.shape[:2] != place.frame_size:
        raise FrameError(
            f"The frame is {frame.shape[0]}x{frame.shape[1]}; {place.frame_size[0]}x{place.frame_size[1]} was expected."
        )
    height, width = place.content_size
    if out is None:
        out = np.empty((*place.network_size, 3), np.uint8)
    top, left, bottom, right = place.region
    region = frame[top:bottom, left:right]
    down, across = place.content
    content = out[down, across]
    if region.shape == content.shape:
        content[...] = region
    else:
        resized = cv2().resize(_thinned(region, place.content_size), (width, height), dst=content)
        if resized is not content and not np.shares_memory(resized, content):
            content[...] = resized
    out[: down.start] = fill
    out[down.stop :] = fill
    out[down, : across.start] = fill
    out[down, across.stop :] = fill
    return out


def thinned_size(region_size: Size, content_size: Size) -> Size:
    """What a region is averaged down to before it is sampled bilinearly, which alone would skip pixels.

    Averaging down by the whole factor that brings the region within twice the content's size keeps thin poles. Blocks
    of a whole number of pixels are averaged many times faster than fractions of them; those are left to regions that
    do not divide, which are averaged to the content's size at once.

    Args:
        region_size: ``(height, width)`` of the region.
        content_size: ``(height, width)`` that it is scaled to.

    Returns:
        ``(height, width)``; the region's own where it is less than twice as large as the content.
    """
    height, width = region_size
    factor = min(height // content_size[0], width // content_size[1])
    if factor < 2:
        return region_size
    if height % factor or width % factor:
        return content_size
    return height // factor, width // factor


def _thinned(region: NDArray[np.uint8], content_size: Size) -> NDArray[np.uint8]:
    size = thinned_size((region.shape[0], region.shape[1]), content_size)
    if size == region.shape[:2]:
        return region
    return np.asarray(cv2().resize(region, size[::-1], interpolation=cv2().INTER_AREA), np.uint8)
