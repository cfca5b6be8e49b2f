"""Houses: a textured front, side walls, a roof and chimneys."""

import numpy as np

from fcn_edge.street.facades import Facade
from fcn_edge.street.kinds import BUILDING, Color
from fcn_edge.street.shapes import Mesh, MeshBuilder, Panel, Part, Thing

_ROOFS: tuple[Color, ...] = ((78, 74, 72), (64, 62, 66), (58, 72, 104), (70, 82, 120))


def house(
    rng: np.random.Generator,
    front: Facade,
    along: float,
    width: float,
    side: int,
    line: float,
    depth: float,
    scale: float,
    gable: bool = False,
) -> Thing:
    """A house whose front faces the street.

    Args:
        rng: Source of the roof's shape and color.
        front: Its front.
        along: Meters along the street of its near end.
        width: Meters of its front.
        side: -1 for the left of the street, 1 for the right.
        line: Meters from the center line to its front.
        depth: Meters from front to back.
        scale: Factor on the height of the front.
        gable: Whether its near end is open to view and gets a picture of its own.
    """
    high = front.height * scale
    # Own x points away from the street on either side; z runs along the street.
    away = float(side)
    walls = _body(rng, high, width, depth, away, front.wall)
    near, far = np.array([0.0, 0.0, 0.0]), np.array([0.0, 0.0, width])
    # Seen from the street, the near end is on the left for houses on the right.
    start, end = (far, near) if side > 0 else (near, far)
    tint = np.clip(rng.normal(0.97, 0.1) + rng.normal(0, 0.015, 3), 0.7, 1.15)
    parts: list[Part] = [walls]
    if gable:
        corner = np.array([away * min(depth, 9.0), 0.0, 0.0])
        ends = (near, corner) if side > 0 else (corner, near)
        parts.append(Panel(front.gable, *ends, high, BUILDING, tint))
    parts.append(Panel(front.texture, start, end, high, BUILDING, tint))
    lateral = line * away
    other = lateral + away * depth
    return Thing(
        along,
        lateral,
        0.0,
        (along, along + width),
        (min(lateral, other), max(lateral, other)),
        tuple(parts),
        reach=170.0,
        tall=high,
        shadow="box",
    )


def _body(rng: np.random.Generator, high: float, width: float, depth: float, away: float, wall: Color) -> Mesh:
    mesh = MeshBuilder(BUILDING)
    roof = _ROOFS[int(rng.integers(len(_ROOFS)))]
    back = away * depth
    flat = rng.random() < 0.25
    rise = 0.0 if flat else rng.uniform(1.6, 3.2)
    ridge, top = away * min(depth / 2, 4.5), high + rise
    if not flat:
        for _ in range(int(rng.integers(0, 3))):
            z = rng.uniform(0.1, 0.9) * width
            color = (60.0, 80.0, 120.0)
            x = ridge
            mesh.box((min(x, x + 0.7), top - 0.6, z), (max(x, x + 0.7), top + 1.1, z + 0.9), color)
    for z, outward in ((0.0, -1.0), (width, 1.0)):
        outline = [(0.0, 0.0, z), (back, 0.0, z), (back, high, z), (ridge * 2, high, z)]
        mesh.face([*outline, (0.0, high, z)], wall, (0, 0, outward))
        if not flat:
            mesh.face([(0.0, high, z), (ridge * 2, high, z), (ridge, top, z)], wall, (0, 0, outward))
    if flat:
        mesh.face([(0, high, 0), (0, high, width), (back, high, width), (back, high, 0)], roof, (0, 1, 0))
    else:
        eaves = -0.3 * away
        slope = [
            (eaves, high - 0.1, 0),
            (eaves, high - 0.1, width),
            (ridge, top, width),
            (ridge, top, 0),
        ]
        mesh.face(slope, roof, (-away, 1, 0))
    return mesh.build()
