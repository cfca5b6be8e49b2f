"""Where the scores of a network lie on its input, in numbers: what decoding needs of any FCN.

Positions are those of pixel centers: input pixel ``q`` is at ``q``, and score cell ``i`` has its center at
``i * step + first``, along each axis on its own. Three ways to lay cells over ``side`` input pixels describe the FCNs
that people have; ``cells`` below is their number:

    align      step between cells       center of the first cell     networks
    edges      side / cells             (step - 1) / 2               bilinear Resize, align_corners=False
    corners    (side - 1) / (cells - 1) 0                            bilinear Resize, align_corners=True
    stride     the stride               first                        deconvolution (transposed convolution) and crop

Long, Shelhamer and Darrell's networks in Caffe are of the last kind: conv1_1 pads the image by 100, fc6 takes 6 cells
off, and the upsampled scores are cropped by 19, 27 or 31 pixels.

    FCN-32s    stride 32, first  12.5    cells =     ceil((side + 198) / 32) - 6
    FCN-16s    stride 16, first -11.5    cells = 2 * ceil((side + 198) / 32) - 10
    FCN-8s     stride  8, first -23.5    cells = 4 * ceil((side + 198) / 32) - 18

Beyond its outermost cells a deconvolution fades out, where sampling repeats them. That scales all classes alike, so the
best one stays the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["LONGEST_SIDE", "SIZE_MULTIPLE", "Geometry", "GridAxis"]

LONGEST_SIDE = 1 << 16
"""Pixels or cells, of a network's input and of all numbers here."""

SIZE_MULTIPLE = 32
"""Heights and widths of our own networks are multiples of the coarsest stride."""


_Offset = Annotated[float, Field(ge=-LONGEST_SIDE, le=LONGEST_SIDE)]
_Pixels = Annotated[int, Field(ge=-LONGEST_SIDE, le=LONGEST_SIDE)]


@dataclass(frozen=True)
class GridAxis:
    """Input position to grid coordinate along one axis: ``grid = (position + 0.5) / step + shift``.

    Attributes:
        step: Input pixels from one cell's center to the next, > 0.
        shift: Grid coordinate of the input's edge, half a pixel before its first pixel's center.
    """

    step: float
    shift: float


class Geometry(BaseModel):
    """How the grid of scores lies on the network's input. The default is that of our own networks.

    Attributes:
        align: ``edges``: the cells share the input evenly, edge to edge; ``corners``: the centers of the outermost
            cells lie on the outermost pixels; ``stride``: the cells lie ``stride`` pixels apart, from ``first`` on.
        first: Row and column of the first cell's center, in input pixels; only with ``stride``.
        margin: Cells by which the network's own upsampling reaches beyond the centers' outer half cells, on each side,
            before the whole is shrunk to the input; only with ``edges``. 0.5 where a deconvolution is not cropped.
        padding: Pixels that are added to a side before it is divided into cells; negative where some are lost.
        unit: Input pixels that a side is rounded up to, a multiple of the stride; the stride when None.
        extra_cells: Cells along an axis beyond ``unit / stride`` for each unit; negative where some are lost.
        size_multiple: Heights and widths of the input must be multiples of this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    align: Literal["edges", "corners", "stride"] = "edges"
    first: tuple[_Offset, _Offset] | None = None
    margin: Annotated[float, Field(ge=0, le=LONGEST_SIDE)] = 0.0
    padding: _Pixels = 0
    unit: Annotated[int, Field(ge=1, le=LONGEST_SIDE)] | None = None
    extra_cells: _Pixels = 0
    size_multiple: Annotated[int, Field(ge=1, le=LONGEST_SIDE)] = SIZE_MULTIPLE

    @model_validator(mode="after")
    def _numbers_fit_the_alignment(self) -> Geometry:
        if (self.align == "stride") != (self.first is not None):
            raise ValueError("a first cell belongs to the alignment 'stride', and only to it")
        if self.margin and self.align != "edges":
            raise ValueError("a margin belongs to the alignment 'edges', and only to it")
        return self

    @property
    def divides_evenly(self) -> bool:
        """Whether the cells share inputs of multiples of the stride with nothing added or lost."""
        return self.align == "edges" and self.padding == 0 and self.extra_cells == 0 and self.margin == 0

    def cells(self, side: int, stride: int) -> int:
        """How many cells a network gives along an axis.

        Args:
            side: Input pixels along it.
            stride: Input pixels per cell.
        """
        unit = self.unit or stride
        return unit // stride * -(-(side + self.padding) // unit) + self.extra_cells

    def rows(self, height: int, stride: int) -> GridAxis:
        """Where the rows of cells lie on an input of that height."""
        return self._axis(height, stride, self.first[0] if self.first else 0.0)

    def columns(self, width: int, stride: int) -> GridAxis:
        """Where the columns of cells lie on an input of that width."""
        return self._axis(width, stride, self.first[1] if self.first else 0.0)

    def _axis(self, side: int, stride: int, first: float) -> GridAxis:
        if self.align == "stride":
            return GridAxis(float(stride), -(first + 0.5) / stride)
        cells = self.cells(side, stride)
        if self.align == "edges":
            return GridAxis(side / (cells + 2 * self.margin), -0.5 - self.margin)
        # a single cell is everywhere, whatever the step
        step = (side - 1) / (cells - 1) if min(side, cells) > 1 else float(side)
        return GridAxis(step, -0.5 / step)
