"""Sun, sky light and haze: from the color of a surface to the color that is seen."""

from dataclasses import dataclass

import numpy as np

from fcn_edge.street.kinds import FloatArray


@dataclass(frozen=True)
class Light:
    """The light of one frame, in camera coordinates.

    Attributes:
        sun: Unit vector (3,) towards the sun as (right, up, ahead).
        direct: Color gain (3,) BGR of a surface that faces the sun.
        ambient: Color gain (3,) BGR of any surface.
        haze: Color (3,) BGR 0..255 that things fade to with distance.
        visibility: Meters after which 63% of a thing's own color is gone.
        lamps: How strongly lamps glow, 0 by day to 1 at dusk.
    """

    sun: FloatArray
    direct: FloatArray
    ambient: FloatArray
    haze: FloatArray
    visibility: float
    lamps: float

    @property
    def sight(self) -> float:
        """Meters beyond which next to nothing is left of a thing's own color."""
        return 2.3 * self.visibility

    def clear(self, depth: FloatArray) -> FloatArray:
        """Share of a thing's own color that is left at depths in meters."""
        return np.asarray(np.exp(-np.maximum(depth, 0.0) / self.visibility))

    def gain(self, normals: FloatArray) -> FloatArray:
        """Color gains (N, 3) of surfaces with unit normals (N, 3) in camera coordinates."""
        # Walls that look up see more of the sky than those that look down.
        sky = 0.85 + 0.15 * normals[:, 1:2]
        facing = np.maximum(normals @ self.sun, 0.0)[:, None]
        return self.ambient * sky + self.direct * facing

    def seen(self, colors: FloatArray, gain: FloatArray, depth: FloatArray) -> FloatArray:
        """Seen colors (N, 3) of surface colors (N, 3) under gains (N, 3) at depths (N,)."""
        clear = self.clear(depth)[:, None]
        return np.minimum(colors * gain, 255.0) * clear + self.haze * (1 - clear)
