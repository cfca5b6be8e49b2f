"""A mask at the network's size to a mask in frame pixels, for models that end in labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fcn_edge.ops.geometry import AxisMapping, FrameMapping

__all__ = ["nearest"]


def nearest(labels: NDArray[np.uint8], mapping: FrameMapping, void: int) -> NDArray[np.uint8]:
    """Nearest-neighbor sampling of a mask at each frame pixel.

    Args:
        labels: ``(h, w)`` uint8 mask on the grid that ``mapping`` speaks of.
        mapping: Frame pixels to grid coordinates.
        void: Value of the pixels that the network did not see.

    Returns:
        ``(H, W)`` uint8.
    """
    rows, columns = _cells(mapping.rows, labels.shape[0]), _cells(mapping.columns, labels.shape[1])
    mask = np.full(mapping.frame_size, void, np.uint8)
    seen = np.s_[mapping.rows.start : mapping.rows.stop, mapping.columns.start : mapping.columns.stop]
    mask[seen] = labels[rows[:, None], columns[None]]
    return mask


def _cells(axis: AxisMapping, cells: int) -> NDArray[np.intp]:
    grid = np.arange(axis.start, axis.stop) * axis.scale + axis.offset
    nearest_cell: NDArray[np.intp] = np.clip(np.rint(grid), 0, cells - 1).astype(np.intp)
    return nearest_cell
