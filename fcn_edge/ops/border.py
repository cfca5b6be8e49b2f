"""The pixels of the cells that a class border runs through.

Cells are the last axis of all arrays here: the loops inside NumPy then run over hundreds of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fcn_edge.ops.sampling import AxisCells

__all__ = ["paint_border_cells"]

_SCORES_AT_ONCE = 1 << 18
_PIXELS_AT_ONCE = 1 << 15
"""Work arrays of this many float32 stay in a core's second-level cache."""


def paint_border_cells(
    labels: NDArray[np.uint8],
    scores: NDArray[np.float32],
    best: NDArray[np.uint8],
    border: NDArray[np.bool_],
    rows: AxisCells,
    columns: AxisCells,
) -> None:
    """Evaluate cells and write the winners of their pixels into a mask.

    Args:
        labels: ``(H, W)`` uint8, C-contiguous, written in place.
        scores: ``(C, h, w)`` float32, C-contiguous, finite.
        best: ``(h, w)`` uint8, the best class of each grid point, lowest id on a tie.
        border: ``(cells of rows, cells of columns)`` bool, the cells to evaluate.
        rows: Cells of the vertical axis.
        columns: Cells of the horizontal axis.
    """
    classes, _, width = scores.shape
    down, across = np.nonzero(border)
    pixel_rows = rows.pixels * labels.shape[1]
    shape = len(rows.pixels), len(columns.pixels)
    step = max(_PIXELS_AT_ONCE // (shape[0] * shape[1]), 1)
    work = _Work.of(*shape, min(step, len(down)))
    block = max(_SCORES_AT_ONCE // (4 * classes), 64)
    for begin in range(0, len(down), block):
        i, j = down[begin : begin + block], across[begin : begin + block]
        above, below = rows.low[i] * width, rows.high[i] * width
        left, right = columns.low[j], columns.high[j]
        corners = np.stack((above + left, above + right, below + left, below + right))
        rivals, order = _rivals(scores.reshape(classes, -1), corners, best.ravel())
        i, j = i[order], j[order]
        for at in range(0, len(i), step):
            down_part, across_part = i[at : at + step], j[at : at + step]
            weights = rows.weights[:, down_part], columns.weights[:, across_part]
            winners = _winners(rivals, slice(at, at + len(down_part)), *weights, work)
            pixels = work.pixels[..., : len(down_part)]
            np.add(pixel_rows[:, down_part][:, None], columns.pixels[:, across_part], out=pixels)
            labels.reshape(-1)[pixels] = winners


@dataclass(frozen=True, eq=False)
class _Work:
    """Arrays ``(pixels down, pixels across, cells)`` that every step uses again."""

    value: NDArray[np.float32]
    most: NDArray[np.float32]
    better: NDArray[np.bool_]
    winner: NDArray[np.uint8]
    change: NDArray[np.uint8]
    pixels: NDArray[np.intp]

    @staticmethod
    def of(*shape: int) -> _Work:
        value, most = np.empty(shape, np.float32), np.empty(shape, np.float32)
        winner, change = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
        return _Work(value, most, np.empty(shape, np.bool_), winner, change, np.empty(shape, np.intp))


@dataclass(frozen=True, eq=False)
class _Rivals:
    """The classes that may win in each cell, lowest id first; cells in falling order of their number.

    Attributes:
        count: ``(cells,)``, how many rivals the cell has.
        start: ``(cells,)``, where its rivals begin in the other two.
        ids: ``(rivals,)`` uint8.
        ahead: ``(4, rivals)`` float32, how far the rival is ahead of its cell's first one at each corner.
    """

    count: NDArray[np.intp]
    start: NDArray[np.intp]
    ids: NDArray[np.uint8]
    ahead: NDArray[np.float32]


def _rivals(
    flat: NDArray[np.float32], corners: NDArray[np.intp], best: NDArray[np.uint8]
) -> tuple[_Rivals, NDArray[np.intp]]:
    """The rivals of cells with the grid points ``corners`` ``(4, cells)``, and the order that the cells are put in.

    A class that is less than another one at all four corners is less in the whole cell, so leaving it out is exact.
    """
    around = [flat.take(corner, axis=1) for corner in corners]
    possible = np.ones((len(flat), corners.shape[1]), np.bool_)
    for champion in best[corners]:
        theirs = flat.reshape(-1).take(champion.astype(np.intp) * flat.shape[1] + corners)
        reaches = around[0] >= theirs[0]
        for corner in (1, 2, 3):
            reaches |= around[corner] >= theirs[corner]
        possible &= reaches
    count = possible.sum(axis=0, dtype=np.intp)
    order = np.argsort(-count, kind="stable")
    count, corners = count[order], corners[:, order]
    cell, ids = np.nonzero(possible.T[order])
    start = np.cumsum(count) - count
    own = flat.reshape(-1).take(ids * flat.shape[1] + corners[:, cell])
    ahead = own - own[:, np.repeat(start, count)]
    return _Rivals(count, start, ids.astype(np.uint8), ahead), order


def _winners(
    rivals: _Rivals, cells: slice, vertical: NDArray[np.float32], horizontal: NDArray[np.float32], work: _Work
) -> NDArray[np.uint8]:
    """``(pixels down, pixels across, cells)`` uint8: the winner of each pixel, lowest id on a tie.

    Turn ``n`` sets the ``n``-th rival of all cells that have one, a leading part of them, against the best so far.
    """
    count, start = rivals.count[cells], rivals.start[cells]
    first = rivals.ids[start]
    winner = work.winner[..., : len(count)]
    playing = len(count)
    for turn in range(1, count[0]):
        which = start[:playing] + turn
        top, bottom = rivals.ahead[:, which].reshape(2, 2, playing)
        edges = (bottom - top)[:, None] * vertical[:, :playing]
        edges += top[:, None]
        left, right = edges
        right -= left
        value, better = work.value[..., :playing], work.better[..., :playing]
        np.multiply(right[:, None], horizontal[:, :playing], out=value)
        value += left[:, None]
        change = rivals.ids[which] ^ first[:playing]
        # choosing by exclusive or: a masked copy would go pixel by pixel
        if turn == 1:
            np.greater(value, 0, out=better)
            np.multiply(better.view(np.uint8), change, out=winner)
        else:
            np.greater(value, work.most[..., :playing], out=better)
            np.bitwise_xor(winner[..., :playing], change, out=work.change[..., :playing])
            work.change[..., :playing] *= better.view(np.uint8)
            winner[..., :playing] ^= work.change[..., :playing]
        playing = int(np.count_nonzero(count > turn + 1))
        if turn == 1:
            np.maximum(value[..., :playing], 0, out=work.most[..., :playing])
        else:
            np.maximum(value[..., :playing], work.most[..., :playing], out=work.most[..., :playing])
    winner ^= first
    return winner
