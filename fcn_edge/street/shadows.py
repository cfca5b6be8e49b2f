"""Shadows that things throw on level ground, as polygons of ground points."""

import numpy as np

from fcn_edge.street.kinds import BoolArray, FloatArray
from fcn_edge.street.scene import Scene

_TURN = np.arange(8) * np.pi / 4
_OCTAGON = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_REACH = 60.0
# Half the thickness of the shadow of a stem, in meters.
_STEMS = {"pole": 0.05, "person": 0.18, "round": 0.16}


def cast_shadows(scene: Scene, cast: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Outlines of shadows on the ground, seen from the camera.

    Args:
        scene: What throws shadows.
        cast: (2,) meters to the right and ahead by which the shadow of a point that is one
            meter high is displaced.

    Returns:
        Outlines of thrown shadows, (N, 8, 2), and of the dark places right below things,
        (M, 8, 2), as meters to the right and ahead.
    """
    near = scene.poses.ahead < _REACH
    kinds = np.array([t.shadow for t in scene.things])
    origins = np.stack([scene.poses.right, scene.poses.ahead], axis=1)
    tips = scene.tall[:, None] * cast
    thrown: list[FloatArray] = []
    below: list[FloatArray] = []
    aside = np.array([-cast[1], cast[0]]) / max(float(np.hypot(cast[0], cast[1])), 1e-6)
    for kind, thick in _STEMS.items():
        which = near & (kinds == kind)
        foot, tip = origins[which], tips[which]
        stem = np.stack(
            [
                foot - aside * thick,
                foot + aside * thick,
                foot + tip + aside * thick,
                foot + tip - aside * thick,
            ],
            axis=1,
        )
        thrown.append(stem.repeat(2, axis=1))
        if kind == "round":
            crown = (foot + 0.65 * tip)[:, None]
            thrown.append(crown + _OCTAGON * scene.tall[which][:, None, None] * (0.27, 0.34))
        if kind == "person":
            below.append(foot[:, None] + _OCTAGON * 0.22)
    for kind in ("box", "car"):
        which = near & (kinds == kind)
        base = _footprints(scene, which, kind == "box")
        top = base + tips[which][:, None]
        for j in range(4):
            k = (j + 1) % 4
            side = np.stack([base[:, j], base[:, k], top[:, k], top[:, j]], axis=1)
            thrown.append(side.repeat(2, axis=1))
        thrown.append(top.repeat(2, axis=1))
        if kind == "car":
            below.append(base.repeat(2, axis=1))
    return np.concatenate(thrown), np.concatenate(below)


def _footprints(scene: Scene, which: BoolArray, one_sided: bool) -> FloatArray:
    """Corners (N, 4, 2) of things' bases; one-sided ones begin at their origin's line."""
    poses = scene.poses
    length = (scene.spans[:, 1] - scene.spans[:, 0])[which]
    wide = (scene.breadths[:, 1] - scene.breadths[:, 0])[which]
    if one_sided:
        left, right = np.zeros(len(wide)), np.where(scene.breadths[which, 0] > 0, wide, -wide)
    else:
        left, right = -wide / 2, wide / 2
    x = np.stack([left, right, right, left], axis=1)
    z = np.stack([np.zeros(len(wide)), np.zeros(len(wide)), length, length], axis=1)
    cos, sin = poses.cos[which][:, None], poses.sin[which][:, None]
    across = x * cos + z * sin + poses.right[which][:, None]
    ahead = z * cos - x * sin + poses.ahead[which][:, None]
    return np.stack([across, ahead], axis=2)
