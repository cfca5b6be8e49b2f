"""Masks for the browser: class ids, deflated."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["packed_mask"]

LONGEST_SIDE = 640
"""Pixels; networks tell borders to 8 pixels of their own size at best, and browsers scale."""
SIZE = struct.Struct("<HH")
RAW_DEFLATE = -15


def packed_mask(labels: NDArray[np.uint8]) -> bytes:
    """Height and width in 16 bits each, little endian, then raw deflate (RFC 1951) of the class ids, row by row.

    Args:
        labels: ``(H, W)`` uint8 class ids; a larger one than the browser needs is made smaller, by nearest neighbor.
    """
    height, width = labels.shape
    scale = max(height, width) / LONGEST_SIDE
    if scale > 1:
        rows = _centers(height, max(round(height / scale), 1))
        columns = _centers(width, max(round(width / scale), 1))
        labels = labels[rows[:, None], columns]
    # masks are runs of one value: looking for nothing else saves a third of the bytes, in the same time
    packer = zlib.compressobj(1, zlib.DEFLATED, RAW_DEFLATE, strategy=zlib.Z_RLE)
    return SIZE.pack(*labels.shape) + packer.compress(np.ascontiguousarray(labels).data) + packer.flush()


def _centers(old: int, new: int) -> NDArray[np.intp]:
    """For each of the new pixels, the old one at its center."""
    return ((np.arange(new) + 0.5) * old / new).astype(np.intp)
