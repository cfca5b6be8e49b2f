"""Where frame pixels lie between score cells, along one axis.

Between two neighboring grid points lies a *cell*; all pixels in it are interpolated from the same two scores. What
depends on the mapping alone is worked out once and kept: a stream has one mapping for all its frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fcn_edge.ops.geometry import AxisMapping

__all__ = ["AxisCells", "AxisSamples", "axis_cells", "axis_samples"]

LONGEST_PIECE = 16
"""Cells that hold more pixels than this are cut into pieces, so that work arrays stay small at every scale."""

_KEPT_AXES = 32


@dataclass(frozen=True, eq=False)
class AxisSamples:
    """For each seen pixel of an axis, the two scores that it lies between.

    Attributes:
        low: ``(pixels,)`` intp, grid point at or before the pixel.
        high: ``(pixels,)`` intp, the next grid point; the last one stands in for what lies beyond it.
        weight: ``(pixels,)`` float32 of 0 to 1, the share of ``high``.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    weight: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AxisCells:
    """The seen pixels of an axis, grouped by the cell that they lie in.

    Pixels before the first and after the last grid point all have that point's score, so only one of each is
    evaluated: ``first`` and ``stop`` bound the evaluated pixels, those around them repeat the outermost ones.
    Cells hold different numbers of pixels; the short ones name their last pixel again.

    Attributes:
        first: First evaluated frame pixel.
        stop: One past the last evaluated frame pixel.
        low: ``(cells,)`` intp, grid point that begins the cell.
        high: ``(cells,)`` intp, grid point that ends it; equal to ``low`` when no pixel lies past ``low``.
        pixels: ``(longest, cells)`` intp, frame pixels of the cell.
        weights: ``(longest, cells)`` float32, the share of ``high`` at each of them.
        cell_of: ``(seen pixels,)`` intp, the cell of every pixel that the network saw.
    """

    first: int
    stop: int
    low: NDArray[np.intp]
    high: NDArray[np.intp]
    pixels: NDArray[np.intp]
    weights: NDArray[np.float32]
    cell_of: NDArray[np.intp]


@lru_cache(maxsize=_KEPT_AXES)
def axis_samples(axis: AxisMapping, points: int) -> AxisSamples:
    """The two scores around each pixel that the network saw.

    Args:
        axis: Frame pixel to grid coordinate.
        points: Grid points along the axis, >= 1.
    """
    grid = np.clip(np.arange(axis.start, axis.stop) * axis.scale + axis.offset, 0, points - 1)
    low = grid.astype(np.intp)
    samples = AxisSamples(low, np.minimum(low + 1, points - 1), (grid - low).astype(np.float32))
    _freeze(samples.low, samples.high, samples.weight)
    return samples


@lru_cache(maxsize=_KEPT_AXES)
def axis_cells(axis: AxisMapping, points: int) -> AxisCells:
    """The pixels that the network saw, by cell.

    Args:
        axis: Frame pixel to grid coordinate.
        points: Grid points along the axis, >= 1.
    """
    samples = axis_samples(axis, points)
    grid = np.arange(axis.start, axis.stop) * axis.scale + axis.offset
    before, beyond = int(np.count_nonzero(grid < 0)), int(np.count_nonzero(grid > points - 1))
    first, stop = max(before - 1, 0), min(len(grid) - beyond + 1, len(grid))
    key = samples.low[first:stop].copy()
    if before:
        key[0] = -1  # not in cell 0, which would then be a pixel longer than all others
    starts = _pieces(key)
    counts = np.diff(starts, append=len(key))
    members = np.minimum(np.arange(counts.max())[:, None], counts - 1) + starts + first
    weights = samples.weight[members]
    low = samples.low[members[0]]
    cells = AxisCells(
        first=axis.start + first,
        stop=axis.start + stop,
        low=low,
        high=np.where(weights.any(axis=0), samples.high[members[0]], low),
        pixels=members + axis.start,
        weights=weights,
        cell_of=np.pad(np.repeat(np.arange(len(starts)), counts), (first, len(grid) - stop), mode="edge"),
    )
    _freeze(cells.low, cells.high, cells.pixels, cells.weights, cells.cell_of)
    return cells


def _pieces(key: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where runs of one key begin, long runs cut into pieces of equal length."""
    starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
    counts = np.diff(starts, append=len(key))
    position = np.arange(len(key)) - np.repeat(starts, counts)
    longest = int(counts.max())
    piece = -(-longest // -(-longest // LONGEST_PIECE))
    return np.flatnonzero(position % piece == 0)


def _freeze(*arrays: NDArray[np.generic]) -> None:
    for array in arrays:
        array.flags.writeable = False
