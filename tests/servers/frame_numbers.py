"""Pictures that carry their number as white and black squares, which survive compression.

``rtsp_server.py`` draws the same ones, without NumPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["number_of", "numbered"]

SQUARE = 16
BITS = 16


def numbered(number: int, height: int = 96, width: int = 320, level: int = 90) -> NDArray[np.uint8]:
    """``(height, width, 3)`` uint8 BGR: gray, with its number in the top left corner.

    Args:
        number: From 0 to 65535.
        height: 16 or more.
        width: 288 or more.
        level: The gray.
    """
    image = np.full((height, width, 3), level, np.uint8)
    for place, bit in enumerate([1, 0, *(number >> bit & 1 for bit in reversed(range(BITS)))]):
        image[:SQUARE, SQUARE * place : SQUARE * (place + 1)] = 255 * bit
    return image


def number_of(image: NDArray[np.uint8]) -> int | None:
    """The number in a picture; None where there is none, or it is too damaged."""
    middles = [float(image[4:12, SQUARE * place + 4 : SQUARE * place + 12].mean()) for place in range(BITS + 2)]
    if any(64 < level < 192 for level in middles):
        return None
    bits = [level > 128 for level in middles]
    return sum(bit << place for place, bit in enumerate(reversed(bits[2:]))) if bits[:2] == [True, False] else None
