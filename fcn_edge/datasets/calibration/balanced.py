"""Images that together show every class, where there are labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["balanced"]

FIRST_PIXELS = 0.0005
"""Share of an image that a class starts with, so that the first pixels of one are not worth endlessly much."""

NEARLY_BEST = 0.95
"""Images that help at least this part of what the best does count as equally good; the order decides among them."""


def balanced(shares: NDArray[np.float64], count: int) -> list[int]:
    """Choose greedily: each next image is the one that adds most to the classes with the fewest pixels so far.

    What an image adds is the sum over the classes of the growth of the logarithm of their pixels, so that a tenth more
    of a rare class is worth as much as a tenth more of a common one.

    Args:
        shares: ``(images, classes)`` share of each image's pixels, in the order that decides among near equals.
        count: How many to choose, at most as many as there are.

    Returns:
        Rows of ``shares``, best first.
    """
    total = np.full(shares.shape[1], FIRST_PIXELS)
    left = np.ones(len(shares), np.bool_)
    chosen: list[int] = []
    for _ in range(count):
        gains = np.where(left, np.log1p(shares / total).sum(axis=1), -1.0)
        best = int(np.argmax(gains >= NEARLY_BEST * gains.max()))
        chosen.append(best)
        left[best] = False
        total += shares[best]
    return chosen
