"""A pinhole camera above flat ground: x right, y up, z ahead, all in meters."""

from dataclasses import dataclass

import numpy as np

from fcn_edge.street.kinds import FloatArray


@dataclass(frozen=True)
class Camera:
    """What turns camera coordinates into pixels.

    The pitch is a shift of the horizon row rather than a rotation (a shift lens), so upright
    things stay upright in the image and a vertical wall has one depth per column.

    Attributes:
        width: Image columns.
        height: Image rows.
        focal: Focal length in pixels.
        horizon: Image row of the horizon.
        eye: Meters above the road.
        near: Meters ahead at which shapes are cut off.
    """

    width: int
    height: int
    focal: float
    horizon: float
    eye: float
    near: float = 0.6

    def project(self, points: FloatArray) -> FloatArray:
        """Pixel positions (N, 2) as (column, row) of camera points (N, 3) with z > 0."""
        scale = self.focal / points[:, 2]
        pixels = np.empty((len(points), 2))
        pixels[:, 0] = points[:, 0] * scale + (self.width - 1) / 2
        pixels[:, 1] = self.horizon - points[:, 1] * scale
        return pixels

    def clip(self, polygon: FloatArray) -> FloatArray:
        """The part of a convex polygon (N, 3) that lies beyond the near plane, (M, 3)."""
        kept: list[FloatArray] = []
        previous = polygon[-1]
        for point in polygon:
            if (previous[2] >= self.near) != (point[2] >= self.near):
                share = (self.near - previous[2]) / (point[2] - previous[2])
                kept.append(previous + share * (point - previous))
            if point[2] >= self.near:
                kept.append(point)
            previous = point
        return np.array(kept).reshape(-1, 3)
