"""Sun, sky light and haze: from the colour of a surface to the colour that is seen."""

from dataclasses import dataclass

import numpy as np

from fcn_edge.street.kinds import FloatArray


@dataclass(frozen=True)
class Light:
    """The light of one frame, in camera coordinates.

    Attributes:
        sun: Unit vector (3,) towards the sun as (right, up, ahead).
        direct: Colour gain (3,) BGR of a surface that faces the sun.
        ambient: Colour gain (3,) BGR of any surface.
        haze: Colour (3,) BGR 0..255 that things fade to with distance.
        visibility: Metres after which 63 % of a thing's own colour is gone.
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
        """Metres beyond which next to nothing is left of a thing's own colour."""
        return 2.3 * self.visibility

    def clear(self, depth: FloatArray) -> FloatArray:
        """Share of a thing's own colour that is left at depths in metres."""
        return np.asarray(np.exp(-np.maximum(depth, 0.0) / self.visibility))

    def gain(self, normals: FloatArray) -> FloatArray:
        """Colour gains (N, 3) of surfaces with unit normals (N, 3) in camera coordinates."""
        # Walls that look up see more of the sky than those that look down.
        sky = 0.85 + 0.15 * normals[:, 1:2]
        facing = np.maximum(normals @ self.sun, 0.0)[:, None]
        return self.ambient * sky + self.direct * facing

    def seen(self, colours: FloatArray, gain: FloatArray, depth: FloatArray) -> FloatArray:
        """Seen colours (N, 3) of surface colours (N, 3) under gains (N, 3) at depths (N,)."""
        clear = self.clear(depth)[:, None]
        return np.minimum(colours * gain, 255.0) * clear + self.haze * (1 - clear)
