"""The three kinds of shapes everything is made of: meshes, rods and textured panels.

An object's own coordinates are x to its right, y up from the ground, z ahead, in meters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from fcn_edge.street.kinds import Color, FloatArray
from fcn_edge.street.texture import Texture


@dataclass(frozen=True)
class Mesh:
    """Flat convex faces, drawn in their order unless they look away.

    Attributes:
        vertices: (V, 3); the vertices of a face follow one another.
        starts: Index of each face's first vertex, and V at the end.
        normals: (F, 3) unit vectors; zero for faces seen from both sides.
        centers: (F, 3).
        radii: (F,) greatest distance of a vertex from the center.
        colors: (F, 3) BGR.
        glow: (F,) share of the color that shines by itself when lamps are lit.
        labels: Class id of each face.
    """

    vertices: FloatArray
    starts: tuple[int, ...]
    normals: FloatArray
    centers: FloatArray
    radii: FloatArray
    colors: FloatArray
    glow: FloatArray
    labels: tuple[int, ...]


class MeshBuilder:
    """Collects the faces of a mesh."""

    def __init__(self, label: int) -> None:
        self._label = label
        self._faces: list[FloatArray] = []
        self._normals: list[tuple[float, float, float]] = []
        self._colors: list[Color] = []
        self._glow: list[float] = []
        self._labels: list[int] = []

    def face(
        self,
        points: Sequence[Sequence[float]],
        color: Color,
        outward: Sequence[float] | None = None,
        glow: float = 0.0,
        label: int | None = None,
    ) -> None:
        """Add a convex face; `outward` is a rough direction its front looks to."""
        corners = np.asarray(points, dtype=np.float64)
        normal = (0.0, 0.0, 0.0)
        if outward is not None:
            normal = _normal(points, outward)
        self._faces.append(corners)
        self._normals.append(normal)
        self._colors.append(color)
        self._glow.append(glow)
        self._labels.append(self._label if label is None else label)

    def box(
        self,
        low: Sequence[float],
        high: Sequence[float],
        color: Color,
        label: int | None = None,
        taper: float = 0.0,
    ) -> None:
        """Add the five upper faces of a box whose top is smaller by `taper` on every side."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        t = taper
        base = [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)]
        top = [
            (x0 + t, y1, z0 + t),
            (x1 - t, y1, z0 + t),
            (x1 - t, y1, z1 - t),
            (x0 + t, y1, z1 - t),
        ]
        for i, outward in enumerate([(0, 0, -1), (1, 0, 0), (0, 0, 1), (-1, 0, 0)]):
            j = (i + 1) % 4
            self.face([base[i], base[j], top[j], top[i]], color, outward, label=label)
        self.face(top, color, (0, 1, 0), label=label)

    def build(self) -> Mesh:
        """The mesh of all faces added so far."""
        counts = [len(f) for f in self._faces]
        starts = np.concatenate([[0], np.cumsum(counts)])
        vertices = np.concatenate(self._faces)
        centers = np.add.reduceat(vertices, starts[:-1]) / np.array(counts)[:, None]
        reach = np.sqrt(((vertices - centers.repeat(counts, axis=0)) ** 2).sum(axis=1))
        radii = np.maximum.reduceat(reach, starts[:-1])
        return Mesh(
            vertices=vertices,
            starts=tuple(starts.tolist()),
            normals=np.array(self._normals),
            centers=centers,
            radii=radii,
            colors=np.array(self._colors, dtype=np.float64),
            glow=np.array(self._glow),
            labels=tuple(self._labels),
        )


def _normal(points: Sequence[Sequence[float]], outward: Sequence[float]) -> tuple[float, float, float]:
    """The unit normal of a flat face on the side that `outward` points to."""
    # Three points in plain Python are quicker than in NumPy.
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[:3]
    ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = max((x * x + y * y + z * z) ** 0.5, 1e-9)
    if x * outward[0] + y * outward[1] + z * outward[2] < 0:
        length = -length
    return (x / length, y / length, z / length)


@dataclass(frozen=True)
class Rods:
    """Tapered round bars between joints: poles, trunks, limbs.

    Attributes:
        ends: (N, 2, 3) both ends of each bar.
        radii: (N, 2) meters at both ends.
        colors: (N, 3) BGR.
        labels: Class id of each bar.
        sort: Whether to draw the farthest bar first (else in their order).
    """

    ends: FloatArray
    radii: FloatArray
    colors: FloatArray
    labels: tuple[int, ...]
    sort: bool = False


class RodsBuilder:
    """Collects round bars."""

    def __init__(self, label: int, sort: bool = False) -> None:
        self._label = label
        self._sort = sort
        self._ends: list[tuple[Sequence[float], Sequence[float]]] = []
        self._radii: list[tuple[float, float]] = []
        self._colors: list[Color] = []

    def rod(
        self,
        start: Sequence[float],
        end: Sequence[float],
        radius: float,
        color: Color,
        end_radius: float | None = None,
    ) -> None:
        """Add a bar from `start` to `end`."""
        self._ends.append((start, end))
        self._radii.append((radius, radius if end_radius is None else end_radius))
        self._colors.append(color)

    def build(self) -> Rods:
        """All bars added so far."""
        return Rods(
            ends=np.array(self._ends, dtype=np.float64),
            radii=np.array(self._radii, dtype=np.float64),
            colors=np.array(self._colors, dtype=np.float64),
            labels=(self._label,) * len(self._ends),
            sort=self._sort,
        )


@dataclass(frozen=True)
class Panel:
    """An upright textured rectangle.

    Attributes:
        texture: Its picture.
        start: (3,) lower left corner as seen from its front.
        end: (3,) lower right corner.
        height: Meters.
        label: Class id.
        tint: Color gain (3,) BGR.
        solid: Whether see-through parts still count as the object in the labels.
        billboard: Whether it turns to the camera, so that its normal is not its own.
    """

    texture: Texture
    start: FloatArray
    end: FloatArray
    height: float
    label: int
    tint: FloatArray = field(default_factory=lambda: np.ones(3))
    solid: bool = True
    billboard: bool = False


Part: TypeAlias = Mesh | Rods | Panel


@dataclass(frozen=True)
class Thing:
    """An object on the street.

    Attributes:
        along: Meters along the street of its origin.
        lateral: Meters right of the center line of its origin.
        yaw: Radians its own z axis is turned from the street's direction.
        span: Meters (near, far) along the street that it covers.
        breadth: Meters (left, right) that it covers.
        parts: Its shapes, in drawing order.
        reach: Meters ahead beyond which it is left out.
        tall: Height in meters for its shadow; 0 throws none.
        shadow: Kind of ground shadow: "box", "round" or "none".
        faces_camera: Whether its yaw is replaced so that it faces the camera.
    """

    along: float
    lateral: float
    yaw: float
    span: tuple[float, float]
    breadth: tuple[float, float]
    parts: tuple[Part, ...]
    reach: float = 160.0
    tall: float = 0.0
    shadow: str = "none"
    faces_camera: bool = False
