"""Shadows that things throw on level ground, as polygons of ground points."""

import numpy as np

from fcn_edge.street.kinds import FloatArray
from fcn_edge.street.path import Poses
from fcn_edge.street.shapes import Thing

_OCTAGON = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
_REACH = 60.0


def cast_shadows(things: list[Thing], poses: Poses, cast: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Outlines of shadows on the ground, seen from the camera.

    Args:
        things: What throws shadows.
        poses: Where the things stand.
        cast: (2,) metres to the right and ahead by which the shadow of a point that is one
            metre high is displaced.

    Returns:
        Outlines of thrown shadows, (N, 8, 2), and of the dark places right below things,
        (M, 8, 2), as metres to the right and ahead.
    """
    thrown: list[FloatArray] = []
    below: list[FloatArray] = []
    for i, thing in enumerate(things):
        ahead = float(poses.ahead[i])
        if thing.shadow == "none" or ahead > _REACH:
            continue
        origin = np.array([poses.right[i], ahead])
        tip = cast * thing.tall
        if thing.shadow in ("pole", "person", "round"):
            thick = 0.05 if thing.shadow == "pole" else 0.18
            aside = np.array([-cast[1], cast[0]])
            aside *= thick / max(float(np.hypot(*cast)), 1e-6)
            bar = np.stack([origin - aside, origin + aside, origin + tip + aside, origin + tip - aside])
            thrown.append(bar.repeat(2, axis=0))
            if thing.shadow == "round":
                thrown.append(origin + tip * 0.65 + _OCTAGON * thing.tall * (0.27, 0.34))
            if thing.shadow == "person":
                below.append(origin + _OCTAGON * 0.22)
            continue
        outline = _footprint(thing) @ np.array(
            [[poses.cos[i], -poses.sin[i]], [poses.sin[i], poses.cos[i]]]
        )
        outline = outline + origin
        for j in range(4):
            a, b = outline[j], outline[(j + 1) % 4]
            thrown.append(np.stack([a, b, b + tip, a + tip]).repeat(2, axis=0))
        thrown.append((outline + tip).repeat(2, axis=0))
        if thing.shadow == "car":
            below.append(outline.repeat(2, axis=0))
    empty = np.zeros((0, 8, 2))
    return (
        np.array(thrown) if thrown else empty,
        np.array(below) if below else empty,
    )


def _footprint(thing: Thing) -> FloatArray:
    """Corners (4, 2) of a long thing's base in its own coordinates, as (x, z)."""
    length = thing.span[1] - thing.span[0]
    wide = thing.breadth[1] - thing.breadth[0]
    if thing.shadow == "box":
        far = wide if thing.lateral > 0 else -wide
        return np.array([(0, 0), (far, 0), (far, length), (0, length)], dtype=np.float64)
    half = wide / 2
    return np.array([(-half, 0), (half, 0), (half, length), (-half, length)], dtype=np.float64)
