"""Trees and bushes."""

import numpy as np

from fcn_edge.street.kinds import TREE, Color
from fcn_edge.street.shapes import Panel, RodsBuilder, Thing
from fcn_edge.street.texture import Texture

_BARK: Color = (52.0, 60.0, 68.0)


def tree(rng: np.random.Generator, crown: Texture, along: float, lateral: float, high: float) -> Thing:
    """A tree that is `high` meters tall, its crown drawn on a plane that faces the camera."""
    spread = high * rng.uniform(0.34, 0.48)
    foot = high * rng.uniform(0.12, 0.28)
    rods = RodsBuilder(TREE)
    thick = 0.02 * high + 0.04
    rods.rod((0, 0, 0), (0, foot + high * 0.3, 0), thick, _BARK, thick * 0.6)
    tint = np.clip(rng.normal(1.0, 0.1) + rng.normal(0, 0.04, 3), 0.6, 1.3)
    left, right = np.array([-spread, foot, 0.0]), np.array([spread, foot, 0.0])
    leaves = Panel(crown, left, right, high - foot, TREE, tint, solid=False, billboard=True)
    reach = 0.3
    return Thing(
        along,
        lateral,
        0.0,
        (along - reach, along + reach),
        (lateral - reach, lateral + reach),
        (rods.build(), leaves),
        reach=130.0,
        tall=high,
        shadow="round",
        faces_camera=True,
    )
