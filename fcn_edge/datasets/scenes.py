"""Frames of rendered streets, where nobody gave images: to check, judge and time models on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from fcn_edge.artifacts.spec import Size
from fcn_edge.street import SMALLEST, Street

__all__ = ["rendered_drive", "rendered_images"]


def rendered_images(size: Size, seeds: Iterable[int] = range(8)) -> Iterator[NDArray[np.uint8]]:
    """The first frame of each of several rendered streets, ``(*size, 3)`` uint8 BGR.

    Args:
        size: ``(height, width)``; a side below 32 is rendered at 32, and a network's resize policy brings it down.
        seeds: The streets.
    """
    size = max(size[0], SMALLEST), max(size[1], SMALLEST)
    for seed in seeds:
        yield Street(seed=seed, size=size, frames=1).frame(0)[0]


def rendered_drive(size: Size, frames: int, *, seed: int = 0, fps: float = 25.0) -> Iterator[NDArray[np.uint8]]:
    """The frames of a drive through one rendered street, ``(*size, 3)`` uint8 BGR.

    Args:
        size: ``(height, width)``.
        frames: How many.
        seed: The street.
        fps: Frames per second of driving.
    """
    for image, _ in Street(seed=seed, size=size, frames=frames, fps=fps):
        yield image
