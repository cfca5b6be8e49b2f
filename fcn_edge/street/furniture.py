"""What stands on the pavement: lamp posts, signs, traffic lights, fences."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from fcn_edge.street.kinds import FENCE, POLE, SIGN, Color
from fcn_edge.street.shapes import Mesh, MeshBuilder, Panel, Part, RodsBuilder, Thing
from fcn_edge.street.texture import Texture

_GRAY: Color = (120.0, 124.0, 122.0)
_DARK: Color = (52.0, 52.0, 50.0)
_POSTERS: tuple[Color, ...] = (
    (230.0, 232.0, 232.0),
    (40.0, 40.0, 170.0),
    (150.0, 80.0, 30.0),
    (60.0, 130.0, 60.0),
    (40.0, 180.0, 220.0),
    (40.0, 38.0, 36.0),
)


def _at(along: float, lateral: float, parts: Sequence[Part], reach: float, tall: float = 0.0) -> Thing:
    slim = 0.15
    return Thing(
        along,
        lateral,
        0.0,
        (along - slim, along + slim),
        (lateral - slim, lateral + slim),
        tuple(parts),
        reach=reach,
        tall=tall,
        shadow="pole" if tall else "none",
    )


def lamp_post(along: float, lateral: float, high: float) -> Thing:
    """A lamp post whose arm reaches over the road."""
    rods = RodsBuilder(POLE)
    color = _GRAY if high > 6 else _DARK
    rods.rod((0, 0, 0), (0, 1.2, 0), 0.12, color)
    rods.rod((0, 1.2, 0), (0, high, 0), 0.075, color, 0.05)
    inward = -np.sign(lateral)
    if high > 6:
        rods.rod((0, high, 0), (inward * 1.4, high + 0.25, 0), 0.045, color)
        rods.rod((inward * 1.2, high + 0.2, 0), (inward * 1.9, high + 0.25, 0), 0.1, (170, 176, 176))
    else:
        rods.rod((0, high, 0), (0, high + 0.55, 0), 0.1, (150, 160, 160), 0.2)
    return _at(along, lateral, [rods.build()], 130.0, high)


def post(along: float, lateral: float, high: float) -> Thing:
    """A plain thick post, such as a telegraph pole or a bollard."""
    rods = RodsBuilder(POLE)
    rods.rod((0, 0, 0), (0, high, 0), 0.11 if high > 3 else 0.09, (60, 74, 86) if high > 3 else _DARK)
    return _at(along, lateral, [rods.build()], 110.0, high)


def _ring(radius: float, middle: float, corners: int, turn: float = 0.0) -> list[tuple[float, float, float]]:
    angle = np.arange(corners) * 2 * np.pi / corners + turn
    return [(float(radius * np.sin(a)), float(middle + radius * np.cos(a)), -0.08) for a in angle]


@cache
def _plate(kind: int, high: float) -> Mesh:
    """A traffic sign's plate, seen from the front in color and from behind in gray."""
    mesh = MeshBuilder(SIGN)
    red, white, blue = (40.0, 34.0, 190.0), (232.0, 234.0, 234.0), (170.0, 84.0, 24.0)
    black, yellow, green = (24.0, 24.0, 24.0), (40.0, 190.0, 235.0), (70.0, 110.0, 20.0)
    front = (0, 0, -1)
    if kind == 0:
        mesh.face(_ring(0.38, high, 14), red, front)
        mesh.face(_ring(0.28, high, 14), white, front)
        mesh.face(
            [
                (-0.12, high - 0.12, -0.08),
                (0.12, high - 0.12, -0.08),
                (0.12, high + 0.12, -0.08),
                (-0.12, high + 0.12, -0.08),
            ],
            black,
            front,
        )
    elif kind == 1:
        mesh.face(_ring(0.5, high - 0.1, 3), red, front)
        mesh.face(_ring(0.31, high - 0.1, 3), white, front)
    elif kind == 2:
        mesh.face(_ring(0.36, high, 14), blue, front)
        mesh.face(
            [
                (-0.05, high - 0.2, -0.08),
                (0.05, high - 0.2, -0.08),
                (0.05, high + 0.22, -0.08),
                (-0.05, high + 0.22, -0.08),
            ],
            white,
            front,
        )
    elif kind == 3:
        mesh.face(_rectangle(0.9, 0.6, high), white, front)
        mesh.face(_rectangle(0.84, 0.54, high), green, front)
        mesh.face(_rectangle(0.6, 0.1, high), white, front)
    elif kind == 4:
        mesh.face(_rectangle(0.5, 0.7, high), yellow, front)
        mesh.face(_rectangle(0.35, 0.12, high + 0.1), black, front)
    elif kind == 5:
        mesh.face(_rectangle(0.5, 0.75, high), blue, front)
        mesh.face(_rectangle(0.24, 0.4, high), white, front)
    else:
        mesh.face(_rectangle(1.5, 1.0, high), white, front)
        mesh.face(_rectangle(1.42, 0.92, high), blue, front)
        for i in range(3):
            mesh.face(_rectangle(0.9 - 0.2 * i, 0.1, high + 0.25 - 0.25 * i), white, front)
    back = _rectangle(1.5, 1.0, high) if kind > 5 else _ring(0.36, high, 10)
    mesh.face(back, (110.0, 112.0, 112.0), (0, 0, 1))
    return mesh.build()


def _rectangle(width: float, tall: float, middle: float) -> list[tuple[float, float, float]]:
    half, up = width / 2, tall / 2
    return [
        (-half, middle - up, -0.08),
        (half, middle - up, -0.08),
        (half, middle + up, -0.08),
        (-half, middle + up, -0.08),
    ]


def sign(rng: np.random.Generator, along: float, lateral: float) -> Thing:
    """A traffic sign on its pole."""
    high = float(np.round(rng.uniform(2.2, 2.9), 1))
    kind = int(rng.integers(7))
    rods = RodsBuilder(POLE)
    rods.rod((0, 0, 0), (0, high + 0.3, 0), 0.045, _GRAY)
    parts: list[Part] = [rods.build(), _plate(kind, high)]
    if kind < 4 and rng.random() < 0.35:
        parts.append(_plate(4, high - 0.8))
    return _at(along, lateral, parts, 80.0, high)


@cache
def _signal(lit: int) -> Mesh:
    mesh = MeshBuilder(SIGN)
    mesh.box((-0.2, 2.3, -0.2), (0.2, 3.4, 0.08), (30.0, 30.0, 30.0))
    mesh.face(_rectangle(0.62, 1.32, 2.85), (22.0, 22.0, 22.0), (0, 0, -1))
    colors: list[Color] = [(60, 230, 90), (30, 170, 255), (50, 50, 255)]
    for i, color in enumerate(colors):
        ring = [(x, y, -0.21) for x, y, _ in _ring(0.13, 2.5 + 0.35 * i, 10)]
        on = i == lit
        dim = tuple(c * 0.22 for c in color)
        mesh.face(ring, color if on else (dim[0], dim[1], dim[2]), (0, 0, -1), glow=0.9 if on else 0.0)
    return mesh.build()


def traffic_light(rng: np.random.Generator, along: float, lateral: float) -> Thing:
    """A traffic light on its pole; it counts as a sign."""
    rods = RodsBuilder(POLE)
    rods.rod((0, 0, 0), (0, 3.5, 0), 0.06, _DARK)
    return _at(along, lateral, [rods.build(), _signal(int(rng.integers(3)))], 110.0, 3.4)


def advert(rng: np.random.Generator, along: float, lateral: float) -> Thing:
    """A board with a poster that stands on the pavement."""
    mesh = MeshBuilder(SIGN)
    frame, paper = _choose(rng, _POSTERS), _choose(rng, _POSTERS)
    half, high = float(rng.uniform(0.3, 0.55)), float(rng.uniform(0.9, 1.7))
    mesh.box((-half, 0.05, -0.12), (half, high, 0.12), frame)
    poster = [
        (-half * 0.8, 0.25),
        (half * 0.8, 0.25),
        (half * 0.8, high - 0.1),
        (-half * 0.8, high - 0.1),
    ]
    mesh.face([(x, y, -0.13) for x, y in poster], paper, (0, 0, -1))
    stripe = [(x * 0.7, 0.3 + (y - 0.25) * 0.35) for x, y in poster]
    mesh.face([(x, y, -0.135) for x, y in stripe], frame, (0, 0, -1))
    return _at(along, lateral, [mesh.build()], 65.0, high)


def shop_sign(rng: np.random.Generator, along: float, line: float) -> Thing:
    """A sign that hangs from a front at `line` meters right of the center line."""
    mesh = MeshBuilder(SIGN)
    inward = -float(np.sign(line))
    color, ink = _choose(rng, _POSTERS), _choose(rng, _POSTERS)
    low, wide, tall = (
        float(rng.uniform(2.7, 3.4)),
        float(rng.uniform(0.5, 0.9)),
        float(rng.uniform(0.5, 1.1)),
    )
    x0, x1 = sorted((inward * 0.12, inward * (0.12 + wide)))
    mesh.box((x0, low, -0.05), (x1, low + tall, 0.05), color)
    x0, x1 = x0 + 0.15 * wide, x1 - 0.15 * wide
    band = [
        (x0, low + 0.4 * tall),
        (x1, low + 0.4 * tall),
        (x1, low + 0.7 * tall),
        (x0, low + 0.7 * tall),
    ]
    mesh.face([(x, y, -0.06) for x, y in band], ink, (0, 0, -1))
    return _at(along, line, [mesh.build()], 65.0)


def _choose(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    return colors[int(rng.integers(len(colors)))]


def fence(texture: Texture, along: float, lateral: float, length: float, high: float, label: int = FENCE) -> Thing:
    """A stretch of fence or hedge along the street."""
    front = (np.array([0.0, 0.0, 0.0]), np.array([0.0, 0.0, length]))
    start, end = (front[1], front[0]) if lateral > 0 else front
    panel = Panel(texture, start, end, high, label)
    span = (along, along + length)
    return Thing(along, lateral, 0.0, span, (lateral - 0.1, lateral + 0.1), (panel,), reach=120.0)


def wall(along: float, lateral: float, length: float, high: float, color: Color, label: int) -> Thing:
    """A low wall with a coping."""
    mesh = MeshBuilder(label)
    mesh.box((-0.12, 0, 0), (0.12, high, length), color)
    pale = tuple(min(c * 1.3, 255.0) for c in color)
    mesh.box((-0.16, high, 0), (0.16, high + 0.08, length), (pale[0], pale[1], pale[2]))
    span = (along, along + length)
    return Thing(along, lateral, 0.0, span, (lateral - 0.16, lateral + 0.16), (mesh.build(),), reach=120.0)
