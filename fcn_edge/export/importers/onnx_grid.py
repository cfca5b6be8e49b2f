"""How the scores of an ONNX file lie on its image, found by running it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcn_edge.artifacts.geometry import Geometry
from fcn_edge.artifacts.spec import Normalization, Size
from fcn_edge.errors import ModelError
from fcn_edge.export.importers.base import ANY_SIZE
from fcn_edge.export.importers.onnx_cost import check_cost
from fcn_edge.export.importers.onnx_file import ForeignOnnx
from fcn_edge.export.importers.onnx_network import ForeignSession
from fcn_edge.export.importers.onnx_tail import Tail

__all__ = ["Measured", "measured_grid", "small_size"]

COARSEST = 32
"""Stride of the deepest layers of most networks; a side that nearly every network takes is a multiple of it."""

LARGEST_STRIDE = 128


@dataclass(frozen=True)
class Measured:
    """What a network gives.

    Attributes:
        classes: How many classes it scores.
        stride: Input pixels per score cell.
        geometry: Where the cells lie.
        full: Its own upsampling gives scores of the image's size, laid as the geometry says.
        fixed: The only size that a network runs at whose sides are said to be open.
    """

    classes: int
    stride: int
    geometry: Geometry
    full: bool
    fixed: Size | None = None


@dataclass(frozen=True)
class _Cells:
    """How many cells a side has: that of ``Geometry.cells``."""

    stride: int
    extra: int = 0
    padding: int = 0

    def of(self, side: int) -> int:
        return -(-(side + self.padding) // self.stride) + self.extra


@dataclass(frozen=True)
class _Seen:
    """Sides of what a network gives for an image of a size."""

    size: Size
    classes: int
    cells: Size
    upsampled: Size


def measured_grid(file: ForeignOnnx, tail: Tail, session: ForeignSession, size: Size, least_multiple: int) -> Measured:
    """How the scores of a network lie on its image.

    Args:
        file: The network's file.
        tail: Where its scores are.
        session: It, to be run.
        size: ``(height, width)`` that it is to run at.
        least_multiple: What the sides of its image are multiples of, as far as is known; 1 where nothing is.

    Raises:
        ModelError: It does not run at that size, or its scores lie on the image in no way that decoding knows.
    """

    def look(at: Size) -> _Seen:
        check_cost(file, at, tail.output)
        results = session(np.zeros((*at, 3), np.uint8), Normalization())
        (classes, *cells), full = results.scores.shape, results.upsampled.shape[1:]
        return _Seen(at, classes, (cells[0], cells[1]), (full[0], full[1]))

    fixed: Size | None = None
    if file.image.size is not None:
        seen, multiple = look(size), ANY_SIZE
        found = _cells_of(seen.size, seen.cells)
    else:
        try:
            seen = look(small_size(least_multiple))
            found = _cells_of(seen.size, seen.cells)
        except ModelError:
            seen, found = look(size), None
        if found is None or (tail.grid is not None and seen.upsampled != seen.size):
            # its sides are open in name only: numbers inside belong to the size that it was traced at
            seen, multiple, fixed = look(size), ANY_SIZE, size
            found = _cells_of(seen.size, seen.cells)
        else:
            multiple = _multiple(look, found, tail, least_multiple)
    if found is None:
        raise ModelError(
            f"{file.path} gives {seen.cells[0]}x{seen.cells[1]} scores for an image of {seen.size[0]}x{seen.size[1]}; "
            "a grid that covers the image evenly, with no more cells than pixels, was expected.",
            "Give the --size that it was made for, or name the tensor of its class scores with --output-name.",
        )
    first = (0.0, 0.0) if tail.grid == "origin" else None
    align: Literal["edges", "corners", "stride"] = "edges"
    if tail.grid is not None:
        align = "stride" if tail.grid == "origin" else tail.grid
    geometry = Geometry(
        align=align, first=first, extra_cells=found.extra, padding=found.padding, size_multiple=multiple
    )
    # given the image's sides, an upsampling from the first pixel on steps by their ratio, which is a whole number here
    even = tail.grid != "origin" or tail.scales or all(side % found.stride == 0 for side in seen.size)
    return Measured(seen.classes, found.stride, geometry, even and seen.upsampled == seen.size, fixed)


def small_size(least_multiple: int) -> Size:
    """A size that nearly every network takes whose sides are open, ``(height, width)``."""
    coarse = max(COARSEST, least_multiple)
    return 4 * coarse, 6 * coarse


def _cells_of(size: Size, cells: Size) -> _Cells | None:
    """The stride of a grid, rounded up or down, the finest power of two where several fit; with a cell more or less."""
    powers = [1 << power for power in range(LARGEST_STRIDE.bit_length())]
    others = [stride for stride in range(1, LARGEST_STRIDE + 1) if stride not in powers]
    for padded in (False, True):
        for stride in (*powers, *others):
            grid = _Cells(stride, padding=1 - stride if padded else 0)
            extra = {cell - grid.of(side) for side, cell in zip(size, cells, strict=True)}
            if len(extra) == 1 and abs(only := extra.pop()) <= 1:
                return _Cells(stride, only, grid.padding)
    return None


def _multiple(look: Callable[[Size], _Seen], grid: _Cells, tail: Tail, least: int) -> int:
    """What the sides of an image must be multiples of, tried at some that are multiples of nothing else."""
    coarse = max(COARSEST, least)
    tried = sorted({least, *(1 << power for power in range(coarse.bit_length()))})
    for multiple in (each for each in tried if each >= least and each % least == 0 and each < coarse):
        size = tuple((sides * coarse // multiple + 1) * multiple for sides in (2, 3))
        other = tuple((sides * coarse // multiple + coarse // multiple // 2 + 1) * multiple for sides in (3, 2))
        if all(_fits(look, (at[0], at[1]), grid, tail) for at in (size, other)):
            return multiple
    return coarse


def _fits(look: Callable[[Size], _Seen], size: Size, grid: _Cells, tail: Tail) -> bool:
    try:
        seen = look(size)
    except ModelError:
        return False
    even = tail.grid != "origin" or all(side % grid.stride == 0 for side in size)
    upsampled = tail.grid is None or seen.upsampled == size
    return even and upsampled and seen.cells == tuple(grid.of(side) for side in size)
