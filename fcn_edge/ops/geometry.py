"""Where a frame lies in the network's input, and where each frame pixel lies on the score grid.

Coordinates are pixel centers: along one axis, frame pixel ``p`` lies at network position ``o + (p + 0.5) * r - 0.5``
when the frame is scaled by ``r`` and laid from ``o`` on, and network position ``q`` lies at grid position
``(q + 0.5) / step + shift``. In our own networks the step is the stride and the shift -0.5; ``artifacts/geometry.py``
says what they are in others.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcn_edge.artifacts.geometry import Geometry, GridAxis
from fcn_edge.artifacts.spec import Resize, Size
from fcn_edge.errors import FrameError

__all__ = ["AxisMapping", "FrameMapping", "Placement", "placement"]

OWN_GEOMETRY = Geometry()


@dataclass(frozen=True)
class AxisMapping:
    """Frame pixel to score-grid coordinate along one axis: ``grid = scale * pixel + offset``.

    Attributes:
        scale: Grid cells per frame pixel, > 0.
        offset: Grid coordinate of frame pixel 0.
        length: Frame pixels along this axis.
        start: First frame pixel that the network saw.
        stop: One past the last frame pixel that the network saw.
    """

    scale: float
    offset: float
    length: int
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not (self.scale > 0 and 0 <= self.start < self.stop <= self.length):
            raise ValueError(f"{self} is no mapping: scale > 0 and 0 <= start < stop <= length were expected")


@dataclass(frozen=True)
class FrameMapping:
    """Frame pixels to score-grid coordinates: what ``ops.decode`` samples by.

    Attributes:
        rows: The vertical axis.
        columns: The horizontal axis.
    """

    rows: AxisMapping
    columns: AxisMapping

    @property
    def frame_size(self) -> Size:
        """``(height, width)`` of the frame."""
        return self.rows.length, self.columns.length


@dataclass(frozen=True)
class Placement:
    """Which part of a frame lies where in the network's input.

    Attributes:
        frame_size: ``(height, width)`` of the frame.
        network_size: ``(height, width)`` of the network's input.
        region: top, left, bottom, right in frame pixels: the part that the network sees.
        content_size: ``(height, width)`` that the region is scaled to; the rest of the input is filled.
        origin: Row and column of the input that the content begins at.
    """

    frame_size: Size
    network_size: Size
    region: tuple[int, int, int, int]
    content_size: Size
    origin: tuple[int, int] = (0, 0)

    @property
    def content(self) -> tuple[slice, slice]:
        """Rows and columns of the input that show the frame."""
        (top, left), (height, width) = self.origin, self.content_size
        return slice(top, top + height), slice(left, left + width)

    def mapping(self, stride: int, geometry: Geometry = OWN_GEOMETRY) -> FrameMapping:
        """The mapping from frame pixels to the network's grid of scores.

        Args:
            stride: Input pixels per score cell, the spec's; 1 for a mask of the network's own size.
            geometry: Where the cells lie, the spec's; for a mask that of our own networks, which is the default.
        """
        top, left, bottom, right = self.region
        height, width = self.content_size
        rows = geometry.rows(self.network_size[0], stride)
        columns = geometry.columns(self.network_size[1], stride)
        return FrameMapping(
            rows=_axis(self.frame_size[0], top, bottom, height, self.origin[0], rows),
            columns=_axis(self.frame_size[1], left, right, width, self.origin[1], columns),
        )


def _axis(length: int, start: int, stop: int, content: int, origin: int, grid: GridAxis) -> AxisMapping:
    scale = content / (stop - start) / grid.step
    return AxisMapping(scale, (0.5 - start) * scale + origin / grid.step + grid.shift, length, start, stop)


def placement(frame_size: Size, network_size: Size, resize: Resize) -> Placement:
    """Lay a frame into the network's input by the resize policy.

    Args:
        frame_size: ``(height, width)`` of the frame, each >= 1.
        network_size: ``(height, width)`` of the network's input.
        resize: The policy.

    Raises:
        FrameError: The frame is empty, or the region of interest holds no pixel of it.
    """
    height, width = frame_size
    if height < 1 or width < 1:
        raise FrameError(f"The frame is empty ({height}x{width}).", "Check the source.")
    region = (0, 0, height, width)
    if resize.roi is not None:
        top, left, bottom, right = resize.roi
        region = (round(top * height), round(left * width), round(bottom * height), round(right * width))
        if region[0] >= region[2] or region[1] >= region[3]:
            raise FrameError(
                f"The region of interest {resize.roi} holds no pixel of a {height}x{width} frame.",
                "Export the model with a larger region.",
            )
    if resize.policy == "stretch":
        return Placement(frame_size, network_size, region, network_size)
    seen_height, seen_width = region[2] - region[0], region[3] - region[1]
    ratio = min(network_size[0] / seen_height, network_size[1] / seen_width)
    content = (
        min(network_size[0], max(1, round(seen_height * ratio))),
        min(network_size[1], max(1, round(seen_width * ratio))),
    )
    rest = (network_size[0] - content[0], network_size[1] - content[1])
    origin = (rest[0] // 2, rest[1] // 2) if resize.anchor == "center" else (0, 0)
    return Placement(frame_size, network_size, region, content, origin)
