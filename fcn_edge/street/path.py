"""The center line of the street: a plane curve that bends gently and never ends."""

from dataclasses import dataclass

import numpy as np

from fcn_edge.street.kinds import FloatArray


class Path:
    """Heading of the street as a function of the distance along it.

    The heading is a sum of three sines, so any stretch of the street is known without
    having walked the stretches before it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._length = rng.uniform(180.0, 700.0, 3)
        # The bend is amplitude * 2 pi / length; 1/160 m in total keeps buildings, which are
        # straight boxes, from overlapping visibly.
        bend = rng.uniform(0.0, 1.0, 3) ** 2 / 420.0
        self._amplitude = bend * self._length / (2 * np.pi)
        self._phase = rng.uniform(0.0, 2 * np.pi, 3)

    def heading(self, distance: FloatArray) -> FloatArray:
        """Heading in radians (0 is north, positive turns right) at distances in meters."""
        angle = 2 * np.pi * distance[..., None] / self._length + self._phase
        return np.asarray((self._amplitude * np.sin(angle)).sum(axis=-1), dtype=np.float64)


@dataclass(frozen=True)
class Poses:
    """Where things stand on the ground, seen from the camera.

    Attributes:
        right: Meters to the right of the camera.
        ahead: Meters ahead of the camera.
        cos: Cosine of the thing's heading minus the camera's.
        sin: Sine of the same.
    """

    right: FloatArray
    ahead: FloatArray
    cos: FloatArray
    sin: FloatArray


class Stretch:
    """The part of a path near the camera, in the camera's ground frame."""

    STEP = 2.0

    def __init__(self, path: Path, distance: float, lateral: float, yaw: float, behind: float, ahead: float) -> None:
        count = int((behind + ahead) / self.STEP) + 2
        first = int(behind / self.STEP)
        steps = np.arange(-first, count - first, dtype=np.float64)
        self._along = distance + steps * self.STEP
        self.heading = float(path.heading(np.array(distance, dtype=np.float64))) + yaw
        self._angle = path.heading(self._along) - self.heading
        middle = (self._angle[1:] + self._angle[:-1]) / 2
        right = np.concatenate([[0.0], np.cumsum(np.sin(middle) * self.STEP)])
        ahead_of = np.concatenate([[0.0], np.cumsum(np.cos(middle) * self.STEP)])
        # The camera stands `lateral` meters to the right of the center line.
        here = self._angle[first]
        self._right = right - right[first] - lateral * np.cos(here)
        self._ahead = ahead_of - ahead_of[first] + lateral * np.sin(here)

    def poses(self, along: FloatArray, lateral: FloatArray, yaw: FloatArray | float = 0.0) -> Poses:
        """Place street coordinates (meters along, meters right of the center line)."""
        angle = np.interp(along, self._along, self._angle)
        cos, sin = np.cos(angle), np.sin(angle)
        right = np.interp(along, self._along, self._right) + lateral * cos
        ahead = np.interp(along, self._along, self._ahead) - lateral * sin
        turned = angle + yaw
        return Poses(right, ahead, np.cos(turned), np.sin(turned))
