"""Class scores at the decoder's stride to a mask in frame pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fcn_edge.ops.geometry import AxisMapping, FrameMapping

__all__ = ["decode"]


def decode(scores: NDArray[np.float32], mapping: FrameMapping, void: int) -> NDArray[np.uint8]:
    """The mask: bilinear sampling of the scores at each frame pixel, argmax, lowest id on a tie.

    Args:
        scores: ``(C, h, w)`` float32.
        mapping: Frame pixels to grid coordinates.
        void: Value of the pixels that the network did not see.

    Returns:
        ``(H, W)`` uint8 class ids.
    """
    rows, columns = _weights(mapping.rows, scores.shape[1]), _weights(mapping.columns, scores.shape[2])
    full = rows @ scores @ columns.T
    labels = np.full(mapping.frame_size, void, np.uint8)
    seen = np.s_[mapping.rows.start : mapping.rows.stop, mapping.columns.start : mapping.columns.stop]
    best, winner = full[0].copy(), np.zeros(full.shape[1:], np.uint8)
    for index in range(1, len(full)):
        better = full[index] > best
        np.copyto(best, full[index], where=better)
        winner[better] = index
    labels[seen] = winner
    return labels


def _weights(axis: AxisMapping, cells: int) -> NDArray[np.float32]:
    grid = np.clip(np.arange(axis.start, axis.stop) * axis.scale + axis.offset, 0, cells - 1)
    low = np.minimum(grid.astype(np.int64), max(cells - 2, 0))
    weights = np.zeros((len(grid), cells), np.float32)
    index = np.arange(len(grid))
    weights[index, low] = 1 - (grid - low)
    weights[index, np.minimum(low + 1, cells - 1)] += grid - low
    return weights
