"""Numbers that look random and are the same with every NumPy, on every machine: references are made on another one.

NumPy does not promise the streams of its generators from one version to the next. These come of 64-bit integers alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["bytes_of", "noise", "smooth"]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)
_AREA = 6
"""Rows and columns of cells in an area of ``smooth``."""


def bytes_of(shape: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    """Evenly spread bytes.

    Args:
        shape: Shape of the result.
        seed: Another one gives other bytes.
    """
    count = math.prod(shape)
    return _hashes(-(-count // 8), seed).astype("<u8").view(np.uint8)[:count].reshape(shape)


def noise(shape: tuple[int, int, int, int], seed: int = 0) -> NDArray[np.float32]:
    """``(N, C, h, w)`` without any likeness between neighbors: nearly every cell is on a class border.

    Sums of four evenly spread numbers, between -2 and 2.
    """
    quarters = bytes_of((4, *shape, 2), seed).view("<u2")[..., 0].astype(np.int64)
    return ((quarters.sum(axis=0) - 2 * 65535) / 65536).astype(np.float32)


def smooth(shape: tuple[int, int, int, int], seed: int = 0) -> NDArray[np.float32]:
    """``(N, C, h, w)`` with areas of a few cells."""
    coarse = noise((*shape[:2], -(-shape[2] // _AREA), -(-shape[3] // _AREA)), seed)
    fine = coarse.repeat(_AREA, axis=2).repeat(_AREA, axis=3)[:, :, : shape[2], : shape[3]]
    return np.ascontiguousarray(np.float32(4) * fine + np.float32(0.125) * noise(shape, seed + 1))


def _hashes(count: int, seed: int) -> NDArray[np.uint64]:
    """SplitMix64 of as many numbers."""
    with np.errstate(over="ignore"):
        values = (np.arange(1, count + 1, dtype=np.uint64) + (np.uint64(seed) << np.uint64(40))) * _STEP
        for shift, factor in _MIX:
            values = (values ^ (values >> shift)) * factor
        return values ^ (values >> _LAST)
