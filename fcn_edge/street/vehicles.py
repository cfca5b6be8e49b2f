"""Cars, vans and buses."""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np

from fcn_edge.street.kinds import CAR, Color
from fcn_edge.street.shapes import Mesh, MeshBuilder, Thing

_Point: TypeAlias = tuple[float, float, float]

_PAINTS: tuple[Color, ...] = (
    (190, 194, 196),
    (160, 164, 166),
    (124, 126, 126),
    (60, 58, 56),
    (40, 36, 34),
    (28, 28, 28),
    (110, 58, 32),
    (140, 96, 60),
    (40, 34, 140),
    (44, 40, 100),
    (60, 84, 48),
    (226, 228, 228),
    (90, 100, 108),
    (120, 146, 154),
)
_GLASS: Color = (54.0, 48.0, 44.0)
_MIRRORED: Color = (132.0, 124.0, 116.0)
_BLACK: Color = (22.0, 22.0, 22.0)
_CLEARANCE = 0.22
_CORNER = 0.14
"""How much of the corners of the body is cut off, seen from above."""


@dataclass(frozen=True)
class _Shape:
    """Proportions of a kind of vehicle, in meters.

    Attributes:
        length: Bumper to bumper.
        width: Without mirrors.
        belt: Height of the lower edge of the windows.
        roof: Height of the roof.
        cabin: Rear of the glass at the belt and at the roof, front at the roof and at the belt,
            all from the rear bumper.
        wheel: Radius of the wheels.
    """

    length: float
    width: float
    belt: float
    roof: float
    cabin: tuple[float, float, float, float]
    wheel: float = 0.31


_SHAPES: dict[str, _Shape] = {
    "hatchback": _Shape(3.9, 1.68, 0.92, 1.45, (0.05, 0.5, 2.15, 2.9)),
    "saloon": _Shape(4.5, 1.74, 0.92, 1.42, (0.6, 1.25, 2.55, 3.35)),
    "estate": _Shape(4.6, 1.76, 0.95, 1.5, (0.05, 0.4, 2.6, 3.4)),
    "van": _Shape(4.9, 1.9, 1.15, 2.1, (0.0, 0.08, 3.6, 4.3), 0.34),
    "bus": _Shape(10.5, 2.5, 1.25, 3.1, (0.0, 0.05, 10.3, 10.45), 0.46),
}
_SHARES = (0.4, 0.24, 0.2, 0.13, 0.03)


def pick(rng: np.random.Generator) -> tuple[str, Color]:
    """A random kind of vehicle and its paint."""
    kind = list(_SHAPES)[int(rng.choice(len(_SHAPES), p=_SHARES))]
    return kind, _PAINTS[int(rng.integers(len(_PAINTS)))]


def vehicle(kind: str, paint: Color, along: float, lateral: float, oncoming: bool) -> Thing:
    """A vehicle whose middle is at `along`."""
    shape = _SHAPES[kind]
    half = shape.length / 2
    return Thing(
        along + half if oncoming else along - half,
        lateral,
        float(np.pi) if oncoming else 0.0,
        (along - half, along + half),
        (lateral - shape.width / 2, lateral + shape.width / 2),
        (_vehicle_mesh(kind, paint),),
        reach=130.0,
        tall=shape.roof,
        shadow="car",
    )


@cache
def _vehicle_mesh(kind: str, paint: Color) -> Mesh:
    """A vehicle; its origin is on the ground in the middle of its rear."""
    shape = _SHAPES[kind]
    mesh = MeshBuilder(CAR)
    half, length, belt = shape.width / 2, shape.length, shape.belt
    front_low = shape.cabin[3]
    # The underside is in shade, so that no bright road shows between the wheels.
    for z in (0.3, length - 0.4):
        mesh.face(_upright(-half + 0.1, 0.02, half - 0.1, _CLEARANCE + 0.1, z), (14, 14, 14))
    # What is drawn first is hidden by what follows: mirrors seen past the cabin, for one.
    for way in (-1.0, 1.0):
        x = way * (half + 0.08)
        low = (min(x, x + 0.16 * way), belt, front_low - 0.2)
        mesh.box(low, (low[0] + 0.16, belt + 0.13, front_low - 0.08), _scaled(paint, 0.8))
    bonnet = belt - 0.14 if front_low < length - 0.3 else belt
    for way in (-1.0, 1.0):
        _flank(mesh, shape, bonnet, way, paint)
    for end, edge in ((0.0, belt), (length, bonnet)):
        cut = end + (_CORNER if end == 0.0 else -_CORNER)
        inner = half - _CORNER
        deck = [(-half, belt, front_low), (half, belt, front_low), (half, edge, cut)]
        deck += [(inner, edge, end), (-inner, edge, end), (-half, edge, cut)]
        mesh.face(deck, paint, (0, 1, 0))
    _end(mesh, half, belt, 0.0, -1.0, paint)
    _end(mesh, half, bonnet, length, 1.0, paint)
    _cabin(mesh, shape, kind, paint)
    for z in (0.19 * length, 0.81 * length):
        for way in (-1.0, 1.0):
            x = way * half
            mesh.face(_disc(x * 1.004, z, shape.wheel + 0.05, shape.wheel + 0.05), _BLACK, (way, 0, 0))
            mesh.face(_disc(x * 1.01, z, shape.wheel, shape.wheel), (34, 34, 34), (way, 0, 0))
            mesh.face(_disc(x * 1.014, z, shape.wheel, shape.wheel * 0.6), (128, 130, 130), (way, 0, 0))
    return mesh.build()


def _flank(mesh: MeshBuilder, shape: _Shape, bonnet: float, way: float, paint: Color) -> None:
    """One side of the body, with its sill, shoulder line and doors."""
    x, length, belt = way * shape.width / 2, shape.length, shape.belt
    front_low = shape.cabin[3]
    outward = (way, 0, 0)
    profile = [
        (_CORNER, _CLEARANCE),
        (length - _CORNER, _CLEARANCE),
        (length - _CORNER, bonnet),
        (front_low, belt),
        (_CORNER, belt),
    ]
    mesh.face([(x, y, z) for z, y in profile], paint, outward)

    def strip(z0: float, z1: float, y0: float, y1: float, color: Color) -> None:
        near = x * 1.003
        mesh.face([(near, y0, z0), (near, y0, z1), (near, y1, z1), (near, y1, z0)], color, outward)

    strip(_CORNER, length - _CORNER, _CLEARANCE, _CLEARANCE + 0.16, _scaled(paint, 0.45))
    strip(_CORNER, length - 0.3, belt - 0.2, belt - 0.15, _scaled(paint, 1.25))
    middle = (shape.cabin[0] + front_low) / 2
    for z in (middle, front_low - 0.1):
        strip(z - 0.012, z + 0.012, _CLEARANCE + 0.16, belt, _scaled(paint, 0.4))
    strip(middle + 0.08, middle + 0.24, belt - 0.13, belt - 0.09, _scaled(paint, 0.5))


def _cabin(mesh: MeshBuilder, shape: _Shape, kind: str, paint: Color) -> None:
    """Pillars and roof in paint, with the glass between them."""
    half, belt, roof = shape.width / 2, shape.belt, shape.roof
    rear_low, rear_high, front_high, front_low = shape.cabin
    foot = half - 0.03
    top = half - (0.08 if kind in ("van", "bus") else 0.18)
    for low, high, way in ((rear_low, rear_high, -1.0), (front_low, front_high, 1.0)):
        quad = [(-foot, belt, low), (foot, belt, low), (top, roof, high), (-top, roof, high)]
        mesh.face(quad, paint, (0, 0.3, way))
        if kind != "van" or way > 0:
            _pane(mesh, quad, (0, 0.3, way))
    for way in (-1.0, 1.0):
        low, high = way * foot, way * top
        side = [
            (low, belt, rear_low),
            (low, belt, front_low),
            (high, roof, front_high),
            (high, roof, rear_high),
        ]
        mesh.face(side, paint, (way, 0.3, 0))
        if kind == "van":
            side[0] = (low, belt, front_low - 1.1)
            side[3] = (high, roof, front_high - 0.7)
        _pane(mesh, side, (way, 0.3, 0))
        posts = np.linspace(rear_low, front_low, 8 if kind == "bus" else 3)[1:-1].tolist()
        for z in posts if kind != "van" else []:
            post = [
                (low, belt, z - 0.05),
                (low, belt, z + 0.05),
                (high, roof, z + 0.05),
                (high, roof, z - 0.05),
            ]
            mesh.face(post, _scaled(paint, 0.7), (way, 0.3, 0))
    lid = [
        (-top, roof, rear_high),
        (top, roof, rear_high),
        (top, roof, front_high),
        (-top, roof, front_high),
    ]
    mesh.face(lid, paint, (0, 1, 0))


def _pane(mesh: MeshBuilder, frame: list[_Point], outward: tuple[float, float, float]) -> None:
    """Glass inside a frame given from its lower corners: dark below, mirroring the sky above."""
    corners = np.array(frame)
    middle = corners.mean(axis=0)
    inner = middle + (corners - middle) * 0.85
    split = 0.55
    left, right = inner[0] + split * (inner[3] - inner[0]), inner[1] + split * (inner[2] - inner[1])
    mesh.face([inner[0].tolist(), inner[1].tolist(), right.tolist(), left.tolist()], _GLASS, outward)
    mesh.face([left.tolist(), right.tolist(), inner[2].tolist(), inner[3].tolist()], _MIRRORED, outward)


def _end(mesh: MeshBuilder, half: float, high: float, z: float, way: float, paint: Color) -> None:
    """The rear (way -1) or front (way 1) of the body with its lights, plate and tires."""
    low, inner = _CLEARANCE, half - _CORNER

    def patch(x0: float, y0: float, x1: float, y1: float, color: Color, glow: float = 0.0) -> None:
        mesh.face(_upright(x0, y0, x1, y1, z + 0.01 * way), color, (0, 0, way), glow=glow)

    def belt(y0: float, y1: float, color: Color) -> None:
        """A band that runs round both corners."""
        for side in (-1.0, 1.0):
            corner(side, y0, y1, color)
        patch(-inner, y0, inner, y1, color)

    def corner(side: float, y0: float, y1: float, color: Color, glow: float = 0.0) -> None:
        near, far = (side * inner, z + 0.01 * way), (side * (half + 0.005), z - _CORNER * way)
        points = [(near[0], y0, near[1]), (far[0], y0, far[1]), (far[0], y1, far[1]), (near[0], y1, near[1])]
        mesh.face(points, color, (side, 0, way), glow=glow)

    for x in (-half + 0.03, half - 0.25):
        mesh.face(_upright(x, 0.0, x + 0.22, low + 0.05, z - 0.2 * way), _BLACK, (0, 0, way))
    belt(low, high, paint)
    belt(low, low + 0.24, _scaled(paint, 0.5))
    belt(low + 0.24, low + 0.29, _scaled(paint, 1.2))
    lamp: Color = (36, 28, 170) if way < 0 else (210, 222, 226)
    top = high - 0.07
    wide = 0.12 if way < 0 else 0.22
    for side in (-1.0, 1.0):
        x0, x1 = sorted((side * inner, side * (inner - wide)))
        patch(x0, top - 0.2, x1, top, lamp, 0.85)
        corner(side, top - 0.2, top, lamp, 0.85)
    if way > 0:
        patch(-0.42, top - 0.18, 0.42, top - 0.02, _BLACK)
        patch(-0.26, low + 0.08, 0.26, low + 0.19, (226, 228, 228))
    else:
        patch(-0.26, top - 0.2, 0.26, top - 0.09, (60, 190, 216))


def _upright(x0: float, y0: float, x1: float, y1: float, z: float) -> list[_Point]:
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]


def _disc(x: float, z: float, high: float, radius: float) -> list[_Point]:
    angle = np.arange(12) * np.pi / 6
    return [(x, float(high + radius * np.sin(a)), float(z + radius * np.cos(a))) for a in angle]


def _scaled(paint: Color, share: float) -> Color:
    blue, green, red = (min(c * share, 255.0) for c in paint)
    return (blue, green, red)
