"""Sizes that fit a data set: what a training takes where nobody said which."""

from __future__ import annotations

import math

import numpy as np

from fcn_edge.artifacts.spec import Size
from fcn_edge.datasets import LabeledSplit

__all__ = ["LARGEST_AREA", "fitting_size", "typical_size"]

LARGEST_AREA = 384 * 480
"""Pixels of the network's input, at most: what two cores train on in an evening, and a small board runs at 30 fps."""

MOST_IMAGES = 16
GRID = 32

SHORTEST_SIDE = 2 * GRID
"""BatchNorm needs more than one cell of the coarsest map, also of a single image."""


def typical_size(split: LabeledSplit) -> Size:
    """Median ``(height, width)`` of images of a split, spread over it evenly.

    Raises:
        DatasetError: An image is damaged.
    """
    count = min(len(split), MOST_IMAGES)
    sizes = [split[number * len(split) // count].image().shape[:2] for number in range(count)]
    height, width = np.median(sizes, axis=0)
    return int(height), int(width)


def fitting_size(images: Size) -> Size:
    """Network size ``(height, width)`` for images: theirs in multiples of 32, scaled down to about ``LARGEST_AREA``.

    Sides are rounded up where the images are small enough, and 64 at least.

    Args:
        images: ``(height, width)`` that is typical of them.
    """
    scale = math.sqrt(LARGEST_AREA / (images[0] * images[1]))
    rounded = math.ceil if scale >= 1 else round
    longest = LARGEST_AREA // SHORTEST_SIDE
    height, width = (min(longest, max(SHORTEST_SIDE, GRID * rounded(min(1.0, scale) * side / GRID))) for side in images)
    return height, width
